use std::time::Duration;

use packhouse_core::Fault;
use packhouse_core::fault::Unproven;
use packhouse_core::policy::{Need, Scopes};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_core::tokens::NewToken;

use crate::setup::{houses, login, whoever, writing};

fn new(scopes: &str) -> NewToken {
    NewToken {
        note: None,
        scopes: Scopes::parse(scopes).unwrap(),
        expires_at: None,
    }
}

#[tokio::test]
async fn a_token_makes_no_wider_and_no_longer_one() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.token(&ann, "read:packages").await;
        let cx = writing(&test.house, &token, Need::Tokens).await.unwrap();
        let wider = cx.create_token(new("read:packages,write:packages")).await;
        assert!(matches!(wider, Err(Fault::Denied { .. })));
        let (view, secret) = cx.create_token(new("read:packages")).await.unwrap();
        assert!(secret.starts_with(&view.shown_prefix));
        assert_eq!(cx.tokens(0, 10).await.unwrap().1, 2);
        assert!(
            whoever(&test.house, Some(&secret), &Need::Oneself)
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn revocation_suspension_and_expiry_hold_from_the_next_request_on() {
    use packhouse_core::admin::Deed;
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let works =
            async |token: &str| match whoever(&test.house, Some(token), &Need::Oneself).await {
                Ok(_) => true,
                Err(Fault::Unauthenticated {
                    why: Unproven::Invalid(_),
                    ..
                }) => false,
                Err(fault) => panic!("{fault:?}"),
            };
        assert!(works(&token).await);
        test.does(Deed::SuspendUser {
            login: login("ann"),
        })
        .await;
        assert!(!works(&token).await);
        test.does(Deed::UnsuspendUser {
            login: login("ann"),
        })
        .await;
        assert!(works(&token).await);
        test.does(Deed::RevokeToken {
            token: token.clone(),
        })
        .await;
        assert!(!works(&token).await);

        let brief = Deed::CreateToken {
            user: ann,
            scopes: Scopes::NONE,
            note: None,
            expires_in: Some(Duration::from_secs(60)),
            repository: None,
        };
        let brief = test.does(brief).await.unwrap();
        assert!(works(&brief).await);
        test.clock.advance(Duration::from_secs(60));
        assert!(!works(&brief).await);
    }
}

#[tokio::test]
async fn only_the_owner_revokes_a_token() {
    for test in houses().await {
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let (hers, his) = (test.full_token(&ann).await, test.full_token(&bob).await);
        let cx = writing(&test.house, &his, Need::Tokens).await.unwrap();
        assert!(matches!(
            cx.revoke_token(&hers).await,
            Err(Fault::NotFound { .. })
        ));
        assert!(matches!(
            cx.revoke_token("1").await,
            Err(Fault::NotFound { .. })
        ));
        assert!(
            whoever(&test.house, Some(&hers), &Need::Oneself)
                .await
                .is_ok()
        );
        cx.revoke_token(&his).await.unwrap();
        assert!(
            whoever(&test.house, Some(&his), &Need::Oneself)
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_sign_in_checks_the_body_and_looks_at_no_header() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let cx = writing(&test.house, "a stale token", Need::SignIn)
            .await
            .unwrap();
        let with = |secret: &str| Credentials {
            secret: secret.to_owned(),
            scheme: Scheme::Basic,
        };
        let who = cx.sign_in(&with(&token)).await.unwrap();
        assert_eq!(who.login(), Some(&login("ann")));
        assert!(cx.sign_in(&with("wrong")).await.is_err());
    }
}

#[tokio::test]
async fn the_first_start_makes_one_site_admin_and_no_other_ever() {
    for test in houses().await {
        let token = test.house.first_start().await.unwrap().unwrap();
        let who = whoever(&test.house, Some(token.expose()), &Need::Oneself)
            .await
            .unwrap();
        assert_eq!(who.login(), Some(&login("admin")));
        assert!(test.house.first_start().await.unwrap().is_none());
    }
}
