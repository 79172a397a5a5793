//! Stars: packages that somebody marked as a favourite.

use std::sync::Arc;

use packhouse_db::{accounts, packages, stars};
use packhouse_names::{Ecosystem, Login, PackageId, PackageName};
use serde_json::json;

use crate::events;
use crate::fault::{Fault, Lack, Thing};
use crate::house::{Done, House};
use crate::policy::{Identity, Need, Principal};
use crate::readable;

/// Packages that one account's list of stars shows at most.
const MAX_LISTED_STARS: u32 = 1_000;

impl House {
    /// Gives a package the caller's star, or takes it away; what is so already stays so.
    pub(crate) async fn star(
        self: &Arc<Self>,
        package: PackageId,
        principal: &Principal,
        need: &Need,
        is_starred: bool,
    ) -> Result<(), Fault> {
        let credential = principal
            .credential()
            .ok_or_else(|| Fault::internal("a star by nobody"))?;
        if let Identity::Workflow(_) = credential.identity {
            return Err(Fault::Denied {
                need: Box::new(need.clone()),
                lack: Lack::Scope,
            });
        }
        let (account, at) = (credential.account, self.now());
        self.commit(move |tx| {
            let found = packages::lock(tx, package)?;
            if found.deleted_at.is_some() {
                return Err(Fault::not_found(Thing::Package, found.name.to_string()));
            }
            let is_changed = if is_starred {
                stars::put(tx, package, account, at)?
            } else {
                stars::remove(tx, package, account)?
            };
            if !is_changed {
                return Ok(Done::nothing(()));
            }
            let revision = packages::bump(tx, package, at)?;
            let kind = if is_starred {
                "package.starred"
            } else {
                "package.unstarred"
            };
            let payload = json!({ "revision": revision });
            Ok(Done {
                answer: (),
                events: vec![events::about_package(
                    kind,
                    package,
                    Some(account),
                    &payload,
                )],
            })
        })
        .await
    }

    /// What a user starred, of what the caller may read, by name.
    pub(crate) async fn starred_by(
        &self,
        principal: Principal,
        user: Login,
        ecosystem: Ecosystem,
    ) -> Result<Vec<PackageName>, Fault> {
        let rules = self.settings.rules();
        self.db
            .read(move |conn| {
                conn.snapshot(|conn| {
                    let Some(account) = accounts::find_by_login(conn, &user.key())? else {
                        return Ok(Vec::new());
                    };
                    let rows = stars::starred(conn, account.id, ecosystem, MAX_LISTED_STARS)?;
                    let readable = readable::of(conn, &principal, rows, rules)?;
                    Ok(readable.into_iter().map(|(row, _)| row.name).collect())
                })
            })
            .await
    }
}
