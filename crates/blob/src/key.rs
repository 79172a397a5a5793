use packhouse_names::StorageKey;
use uuid::Uuid;

/// A key that no object had before. Its beginning tells the time, its end is random: folders are
/// spread by the end.
#[expect(
    clippy::expect_used,
    reason = "a UUID in its simple form is 32 lower-case hex digits, which is what a key is"
)]
pub(crate) fn fresh() -> StorageKey {
    StorageKey::new(Uuid::now_v7().simple().to_string()).expect("32 hex digits")
}
