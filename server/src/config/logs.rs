use super::{Layers, LogFilter, LogFormat};

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Logs {
    pub format: LogFormat,
    pub level: LogFilter,
}

impl Logs {
    pub(super) fn resolve(layers: &mut Layers) -> Self {
        Self {
            format: layers.required("log-format", |layer| &layer.log_format, LogFormat::Text),
            level: layers.required("log-level", |layer| &layer.log_level, LogFilter::info()),
        }
    }
}
