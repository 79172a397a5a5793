use std::time::Duration;

use packhouse_core::Fault;
use packhouse_core::admin::Deed;
use packhouse_core::logins::{Approval, BegunLogin, Claim, LOGIN_TTL, MAX_WAITING_LOGINS};
use packhouse_core::policy::{Identity, Need};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_core::{House, cx::WriteCx};
use std::sync::Arc;

use crate::setup::{houses, login, whoever};

async fn signing_in(house: &Arc<House>) -> WriteCx {
    let nobody = packhouse_core::policy::Principal::Anonymous;
    house.admit_write(nobody, Need::SignIn).await.unwrap()
}

async fn begin(house: &Arc<House>) -> BegunLogin {
    let begun = signing_in(house).await.begin_login().await;
    begun.unwrap().expect("few logins wait")
}

async fn approve(house: &Arc<House>, begun: &BegunLogin, token: &str) -> Approval {
    let cx = signing_in(house).await;
    let credentials = Credentials {
        secret: token.to_owned(),
        scheme: Scheme::Bearer,
    };
    let person = cx.sign_in(&credentials).await.unwrap();
    cx.approve_login(begun.page, &person).await.unwrap()
}

/// The token; `None` while the login waits.
async fn claim(house: &Arc<House>, begun: &BegunLogin) -> Result<Option<String>, Fault> {
    match signing_in(house).await.claim_login(begun.terminal).await? {
        Claim::Waiting => Ok(None),
        Claim::Token(token) => Ok(Some(token.expose().to_owned())),
    }
}

fn is_over<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(Fault::NotFound { .. }))
}

#[tokio::test]
async fn a_login_ends_in_a_token_that_is_given_once_wherever_it_is_asked_for() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.token(&ann, "write:packages,repo").await;
        // each step may be another process
        let other = test
            .neighbour()
            .await
            .unwrap_or_else(|| Arc::clone(&test.house));
        let begun = begin(&test.house).await;
        assert_eq!(claim(&other, &begun).await.unwrap(), None);
        let page = signing_in(&other).await.waiting_login(begun.page).await;
        assert_eq!(page.unwrap(), begun.code);
        assert_eq!(approve(&other, &begun, &token).await, Approval::Approved);
        assert_eq!(approve(&test.house, &begun, &token).await, Approval::Gone);

        let (one, two) = tokio::join!(claim(&test.house, &begun), claim(&other, &begun));
        let given: Vec<String> = [one, two]
            .into_iter()
            .filter_map(|answer| answer.ok().flatten())
            .collect();
        assert_eq!(given.len(), 1, "one of two who ask at once gets it");
        assert!(is_over(&claim(&test.house, &begun).await));

        let principal = whoever(&other, Some(&given[0]), &Need::Oneself)
            .await
            .unwrap();
        let credential = principal.credential().unwrap();
        assert_eq!(credential.login, ann);
        let Identity::User { scopes, .. } = &credential.identity else {
            panic!("a login is a person's");
        };
        assert_eq!(scopes.to_string(), "write:packages", "no wider");

        // signing out revokes the login's token and no other, everywhere at once
        let cx = test
            .house
            .admit_write(principal.clone(), Need::Oneself)
            .await
            .unwrap();
        cx.end_login(&token).await.unwrap();
        cx.end_login(&given[0]).await.unwrap();
        assert!(is_over(&cx.end_login(&given[0]).await));
        assert!(whoever(&other, Some(&token), &Need::Oneself).await.is_ok());
        let ended = whoever(&other, Some(&given[0]), &Need::Oneself).await;
        assert!(matches!(ended, Err(Fault::Unauthenticated { .. })));
    }
}

#[tokio::test]
async fn a_login_ends_no_later_than_the_token_that_said_yes() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let brief = Deed::CreateToken {
            user: ann.clone(),
            scopes: packhouse_core::policy::Scopes::parse("read:packages").unwrap(),
            note: None,
            expires_in: Some(Duration::from_secs(60)),
            repository: None,
        };
        let brief = test.does(brief).await.unwrap();
        let begun = begin(&test.house).await;
        approve(&test.house, &begun, &brief).await;
        let token = claim(&test.house, &begun).await.unwrap().unwrap();
        let late = begin(&test.house).await;
        approve(&test.house, &late, &brief).await;
        test.clock.advance(Duration::from_secs(61));
        let ended = whoever(&test.house, Some(&token), &Need::Oneself).await;
        assert!(matches!(ended, Err(Fault::Unauthenticated { .. })));
        assert!(is_over(&claim(&test.house, &late).await));

        // a yes does not outlive its token, nor its giver
        let token = test.full_token(&ann).await;
        let revoked = begin(&test.house).await;
        approve(&test.house, &revoked, &token).await;
        test.does(Deed::RevokeToken { token }).await;
        assert!(is_over(&claim(&test.house, &revoked).await));
        let token = test.full_token(&ann).await;
        let suspended = begin(&test.house).await;
        approve(&test.house, &suspended, &token).await;
        test.does(Deed::SuspendUser {
            login: login("ann"),
        })
        .await;
        assert!(is_over(&claim(&test.house, &suspended).await));
    }
}

#[tokio::test]
async fn a_login_waits_for_five_minutes_and_a_thousand_may_wait() {
    for test in houses().await {
        let first = begin(&test.house).await;
        test.clock.advance(LOGIN_TTL - Duration::from_secs(1));
        assert_eq!(claim(&test.house, &first).await.unwrap(), None);
        let cx = signing_in(&test.house).await;
        for _ in 1..MAX_WAITING_LOGINS {
            assert!(cx.begin_login().await.unwrap().is_some());
        }
        assert!(cx.begin_login().await.unwrap().is_none());
        test.clock.advance(Duration::from_secs(1));
        assert!(is_over(&claim(&test.house, &first).await));
        assert!(is_over(&cx.waiting_login(first.page).await));
        assert!(cx.begin_login().await.unwrap().is_some(), "the first went");
    }
}
