//! Reads nullable columns into typed fields.
//!
//! Diesel converts a column with `TryFrom`, and neither `Option` nor the types of
//! `packhouse-names` are ours to implement it between; [`Opt`] is.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};
use packhouse_names::{
    AccountId, Md5, PackageId, RepositoryId, Role, Sha1, Sha512, TeamId, Timestamp, TokenId,
    VersionId,
};

/// A nullable column in its database form.
#[derive(Debug)]
pub struct Opt<R>(Option<R>);

impl<R, ST, DB> Queryable<ST, DB> for Opt<R>
where
    DB: Backend,
    Option<R>: FromStaticSqlRow<ST, DB>,
{
    type Row = Option<R>;

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        Ok(Self(row))
    }
}

macro_rules! opt {
    (always: $($id:ty),+; checked: $($raw:ty => $($type:ty),+;)+) => {
        $(impl From<Opt<i64>> for Option<$id> {
            fn from(column: Opt<i64>) -> Self {
                column.0.map(<$id>::from)
            }
        })+
        $($(impl TryFrom<Opt<$raw>> for Option<$type> {
            type Error = <$type as TryFrom<$raw>>::Error;
            fn try_from(column: Opt<$raw>) -> Result<Self, Self::Error> {
                column.0.map(<$type>::try_from).transpose()
            }
        })+)+
    };
}

opt! {
    always: AccountId, PackageId, RepositoryId, TeamId, Timestamp, TokenId, VersionId;
    checked:
    String => Role;
    Vec<u8> => Md5, Sha1, Sha512;
}
