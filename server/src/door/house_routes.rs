//! The house's own addresses: health, metrics, and the answer to everything else.

use http::{HeaderValue, Method, StatusCode, header};
use packhouse_wire::{Path, Reply};

use super::Door;
use crate::observe::metrics::NO_ROUTE;

const HEALTH: &str = "GET /healthz";
const READINESS: &str = "GET /readyz";
const METRICS: &str = "GET /metrics";

/// The metric labels of the house's own addresses.
pub(super) const LABELS: &[&str] = &[HEALTH, READINESS, METRICS];

impl Door {
    /// Answers one of the house's own addresses; HEAD arrives as GET.
    pub(super) async fn own_reply(&self, method: &Method, path: &Path) -> (Reply, &'static str) {
        let segments = path.segments();
        let label = match &segments[..] {
            ["healthz"] => HEALTH,
            ["readyz"] => READINESS,
            ["metrics"] => METRICS,
            _ => return (not_found(), NO_ROUTE),
        };
        if *method != Method::GET {
            let allow = HeaderValue::from_static("GET, HEAD");
            let reply = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            return (reply.with(header::ALLOW, allow), label);
        }
        let reply = match label {
            READINESS if !self.readiness.check().await => {
                text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
            METRICS => Reply::bytes(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                self.exposition.render(),
            ),
            _ => text(StatusCode::OK, "ok\n"),
        };
        (
            reply.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            label,
        )
    }
}

fn text(status: StatusCode, text: &'static str) -> Reply {
    Reply::bytes(status, "text/plain; charset=utf-8", text)
}

fn not_found() -> Reply {
    Reply::json(
        StatusCode::NOT_FOUND,
        r#"{"error":"Not found","message":"Not found"}"#,
    )
}

/// For a request target that no registry gets to see.
pub(super) fn bad_path(error: packhouse_wire::PathError) -> Reply {
    // the error's texts hold nothing that JSON would have to escape
    let text = format!(r#"{{"error":"bad request","message":"{error}"}}"#);
    Reply::json(StatusCode::BAD_REQUEST, text)
}
