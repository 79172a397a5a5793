//! Deleting a version that other versions may name: one function, whoever asks.

use std::sync::Arc;

use packhouse_db::{packages, tags, versions};
use packhouse_names::{NormalizedVersion, PackageId};
use serde_json::json;

use crate::events;
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::policy::Principal;
use crate::protection::{self, Reason};

impl House {
    /// Deletes a version and its tags; one that is part of a live list stays. The package stays
    /// without versions, and is not listed.
    pub(crate) async fn retract(
        self: &Arc<Self>,
        package: PackageId,
        principal: Principal,
        version: NormalizedVersion,
    ) -> Result<(), Fault> {
        let at = self.now();
        self.commit(move |tx| {
            packages::lock(tx, package)?;
            let found = versions::find(tx, package, &version)?
                .filter(|row| row.deleted_at.is_none())
                .ok_or_else(|| Fault::not_found(Thing::Version, version.as_str()))?;
            let members = protection::around(tx, package, version.as_str())?;
            let is_held = protection::protections(&members)
                .get(version.as_str())
                .is_some_and(|reasons| reasons.iter().any(Reason::forbids_deletion));
            if is_held {
                return Err(Fault::Held(version.to_string()));
            }
            let id = found.listed.id;
            tags::remove_of_version(tx, id)?;
            versions::soft_delete(tx, id, at)?;
            packages::add_live_versions(tx, package, -1)?;
            let revision = packages::bump(tx, package, at)?;
            let payload = json!({
                "version_id": id.get(),
                "version": version,
                "revision": revision,
            });
            let actor = events::actor(&principal);
            let event = events::about_package("version.deleted", package, actor, &payload);
            Ok(Done {
                answer: (),
                events: vec![event],
            })
        })
        .await
    }
}
