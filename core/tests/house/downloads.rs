use packhouse_core::Fault;
use packhouse_db::downloads;

use crate::setup::{houses, package, parcel, publish, view};

#[tokio::test]
async fn downloads_are_written_when_the_house_closes() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let version = view(&test.house, &token, &widget).await.unwrap().versions[0].id;
        for _ in 0..3 {
            test.house.count_download(version);
        }
        test.house.close().await;
        test.house.count_download(version);
        test.house.close().await;
        let totals = test
            .database()
            .read(move |conn| Ok::<_, Fault>(downloads::totals(conn, &[version])?))
            .await
            .unwrap();
        assert_eq!(totals.into_iter().collect::<Vec<_>>(), [(version, 4)]);
    }
}
