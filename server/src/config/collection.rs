use super::{Layers, Span};

/// When what nothing holds any more goes, and how long what was deleted comes back.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    /// How often the server collects by itself; 0 is never.
    pub interval: Span,
    /// How long a blob stays after a client was told that it is there.
    pub promise: Span,
    /// How long an object stays after its blob became invisible.
    pub grace: Span,
    /// How long what was deleted can be restored.
    pub restore_window: Span,
}

impl Collection {
    pub(super) fn resolve(layers: &mut Layers) -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let mut span = |name, field: fn(&super::Layer) -> &Option<Span>, default| {
            layers.required(name, field, Span::seconds(default))
        };
        Self {
            interval: span("gc-interval", |layer| &layer.gc_interval, HOUR),
            promise: span("gc-promise", |layer| &layer.gc_promise, 24 * HOUR),
            grace: span("gc-grace", |layer| &layer.gc_grace, 15 * MINUTE),
            restore_window: span(
                "restore-window",
                |layer| &layer.restore_window,
                30 * 24 * HOUR,
            ),
        }
    }

    /// As the house takes it.
    #[must_use]
    pub const fn settings(&self) -> packhouse_core::settings::Collection {
        packhouse_core::settings::Collection {
            every: self.interval.duration(),
            promise: self.promise.duration(),
            grace: self.grace.duration(),
        }
    }
}
