//! What the operator sees: logs, metrics and health.

pub mod health;
pub mod logs;
pub mod metrics;

pub use logs::causes;
