//! The one source of time: asked at the top, handed down.

use std::fmt::Debug;

use packhouse_names::Timestamp;

/// Tells the time. The server has the system's; tests own theirs.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}
