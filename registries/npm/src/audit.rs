//! Advisories: this registry has none of its own, and says so in the form each client expects
//! (`spec/npm.md` 16).

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{StatusCode, header};
use packhouse_core::Fault;
use packhouse_wire::{Body, Head, Reply};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

/// The largest body as sent, and unpacked, in bytes.
const MAX_SENT: usize = 8 << 20;
const MAX_UNPACKED: u64 = 64 << 20;

/// `{"name": ["version", …]}`
type Bulk = std::collections::HashMap<String, Vec<String>>;

/// What the older form says of an installation; the rest of it is not looked at.
#[derive(Deserialize)]
struct Tree {
    #[serde(default)]
    dependencies: std::collections::HashMap<String, IgnoredAny>,
}

/// Answers `POST /-/npm/v1/security/advisories/bulk`.
pub(crate) async fn bulk(head: &Head, body: Body) -> Result<Reply, Fault> {
    let text = read(head, body).await?;
    let _asked: Bulk = serde_json::from_slice(&text).map_err(malformed)?;
    Ok(Reply::json(StatusCode::OK, "{}"))
}

/// Answers `POST /-/npm/v1/security/audits/quick` and `/-/npm/v1/security/audits`.
pub(crate) async fn quick(head: &Head, body: Body) -> Result<Reply, Fault> {
    let text = read(head, body).await?;
    let tree: Tree = serde_json::from_slice(&text).map_err(malformed)?;
    let count = tree.dependencies.len();
    let report = json!({
        "actions": [],
        "advisories": {},
        "muted": [],
        "metadata": {
            "vulnerabilities": {"info": 0, "low": 0, "moderate": 0, "high": 0, "critical": 0},
            "dependencies": count,
            "devDependencies": 0,
            "optionalDependencies": 0,
            "totalDependencies": count,
        },
    });
    Ok(Reply::json(StatusCode::OK, report.to_string()))
}

/// npm and bun send gzip, pnpm and yarn plain text.
async fn read(head: &Head, body: Body) -> Result<Bytes, Fault> {
    let sent = body.read_at_most(MAX_SENT).await?;
    match head.header(&header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(sent),
        Some("gzip") => {
            let mut unpacked = Vec::new();
            GzDecoder::new(&*sent)
                .take(MAX_UNPACKED + 1)
                .read_to_end(&mut unpacked)
                .map_err(|error| Fault::invalid("body", format!("not gzip: {error}")))?;
            if u64::try_from(unpacked.len()).unwrap_or(u64::MAX) > MAX_UNPACKED {
                return Err(Fault::TooLarge { limit: MAX_UNPACKED });
            }
            Ok(unpacked.into())
        }
        Some(coding) => {
            let reason = format!("the body's coding {coding} is not understood");
            Err(Fault::invalid(crate::fault::CONTENT_TYPE, reason))
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where map_err hands one over")]
fn malformed(error: serde_json::Error) -> Fault {
    Fault::invalid("body", format!("the body is not what an audit sends: {error}"))
}
