//! One suite for both engines: whatever holds on SQLite must hold on PostgreSQL, with several
//! writers at once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every function here is part of a test: a broken expectation fails it"
)]

/// Makes one test per engine of each named case. Without PostgreSQL on the machine its tests
/// say so and pass, except in CI.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::house::House::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                if let Some(house) = crate::house::House::postgres().await {
                    super::$case(house).await;
                }
            })+
        }
    };
}

mod access;
mod collection;
mod containers;
mod house;
mod lanes;
mod outbox;
mod people;
mod races;
mod schema;
mod tables;
mod ties;
