use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::compose::Registries;

const REQUESTS: &str = "packhouse_http_requests_total";
const SECONDS: &str = "packhouse_http_request_seconds";
const RECEIVED: &str = "packhouse_http_received_bytes_total";
const SENT: &str = "packhouse_http_sent_bytes_total";
const IN_FLIGHT: &str = "packhouse_http_requests_in_flight";

/// From a cached document to a layer of gigabytes.
const SECONDS_BUCKETS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0,
];

/// For histograms that count things.
const COUNT_BUCKETS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Statuses that have a counter of their own; any other is counted under its class.
const STATUSES: [(u16, &str); 22] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (206, "206"),
    (301, "301"),
    (302, "302"),
    (304, "304"),
    (307, "307"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (409, "409"),
    (412, "412"),
    (413, "413"),
    (416, "416"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (503, "503"),
];
const CLASSES: [(u16, &str); 4] = [(200, "2xx"), (300, "3xx"), (400, "4xx"), (500, "5xx")];

/// The label of requests that no registry has a route for.
pub(crate) const NO_ROUTE: &str = "unmatched";

/// Renders what was measured. One recorder serves the whole process.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl Exposition {
    /// Installs the process's recorder, or finds the one that is installed.
    ///
    /// # Errors
    /// When another recorder was installed by somebody else.
    pub fn install() -> anyhow::Result<Self> {
        static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| recorder().map_err(|error| format!("{error:#}")));
        match installed {
            Ok(handle) => Ok(Self(handle.clone())),
            Err(error) => anyhow::bail!("cannot start the metrics: {error}"),
        }
    }

    /// The text that Prometheus scrapes.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds recorded samples into their buckets; without it they pile up until they are scraped.
    pub async fn tend(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposition")
    }
}

fn recorder() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .context("buckets")?
        .set_buckets(&COUNT_BUCKETS)
        .context("buckets")?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("recorder")?;
    metrics::describe_counter!(REQUESTS, "Answered requests");
    metrics::describe_histogram!(SECONDS, Unit::Seconds, "From head to answer, body excluded");
    metrics::describe_counter!(
        RECEIVED,
        Unit::Bytes,
        "Bytes of request bodies that were read"
    );
    metrics::describe_counter!(SENT, Unit::Bytes, "Bytes of answers, heads excluded");
    metrics::describe_gauge!(IN_FLIGHT, "Requests whose answer has not begun");
    describe_collection();
    Ok(handle)
}

/// What the collector measures, which core counts.
fn describe_collection() {
    metrics::describe_counter!("packhouse_gc_runs_total", "Collections that ended");
    metrics::describe_histogram!(
        "packhouse_gc_seconds",
        Unit::Seconds,
        "How long a collection took"
    );
    metrics::describe_counter!(
        "packhouse_gc_links_pruned_total",
        "Blobs taken away from packages that no longer name them"
    );
    metrics::describe_counter!(
        "packhouse_gc_blobs_condemned_total",
        "Blobs that became invisible because nothing holds them"
    );
    metrics::describe_counter!(
        "packhouse_gc_blobs_deleted_total",
        "Blobs whose bytes are gone"
    );
    metrics::describe_counter!(
        "packhouse_gc_orphans_deleted_total",
        "Stored objects that were left behind and are gone"
    );
    metrics::describe_counter!(
        "packhouse_gc_reclaimed_bytes_total",
        Unit::Bytes,
        "What the store has room for again"
    );
    metrics::describe_gauge!(
        "packhouse_gc_condemned_blobs",
        "Condemned blobs that wait for their end"
    );
    metrics::describe_gauge!(
        "packhouse_gc_oldest_condemned_seconds",
        Unit::Seconds,
        "How long the oldest of them waits"
    );
}

/// Every handle that requests need, registered once: a request looks up its route and no more.
pub(crate) struct HttpMetrics {
    registries: Vec<RegistryMetrics>,
    house: RegistryMetrics,
    pub(crate) in_flight: Gauge,
}

/// The meters of one registry's routes.
pub(crate) struct RegistryMetrics {
    routes: HashMap<&'static str, RouteMetrics>,
    unmatched: RouteMetrics,
}

/// The meters of one route.
pub(crate) struct RouteMetrics {
    registry: &'static str,
    route: &'static str,
    /// In the order of [`STATUSES`] and then [`CLASSES`]; made when first needed, so that what
    /// never happens takes no place in what is scraped.
    answers: Vec<OnceLock<Counter>>,
    seconds: Histogram,
    received: Counter,
    sent: Counter,
}

impl HttpMetrics {
    pub(crate) fn register(registries: &Registries, operations: &[&'static str]) -> Self {
        Self {
            registries: registries
                .iter()
                .map(|registry| {
                    RegistryMetrics::register(registry.ecosystem().as_str(), registry.routes())
                })
                .collect(),
            house: RegistryMetrics::register("house", operations),
            in_flight: metrics::gauge!(IN_FLIGHT),
        }
    }

    /// The meters of a route; `None` for the house's own addresses.
    pub(crate) fn route(&self, registry: Option<usize>, label: &'static str) -> &RouteMetrics {
        registry
            .and_then(|index| self.registries.get(index))
            .unwrap_or(&self.house)
            .route(label)
    }
}

impl fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpMetrics")
    }
}

impl RegistryMetrics {
    fn register(registry: &'static str, routes: &[&'static str]) -> Self {
        Self {
            routes: routes
                .iter()
                .map(|route| (*route, RouteMetrics::register(registry, route)))
                .collect(),
            unmatched: RouteMetrics::register(registry, NO_ROUTE),
        }
    }

    fn route(&self, label: &'static str) -> &RouteMetrics {
        self.routes.get(label).unwrap_or(&self.unmatched)
    }
}

impl RouteMetrics {
    fn register(registry: &'static str, route: &'static str) -> Self {
        Self {
            registry,
            route,
            answers: STATUSES
                .iter()
                .chain(&CLASSES)
                .map(|_| OnceLock::new())
                .collect(),
            seconds: metrics::histogram!(SECONDS, "registry" => registry, "route" => route),
            received: metrics::counter!(RECEIVED, "registry" => registry, "route" => route),
            sent: metrics::counter!(SENT, "registry" => registry, "route" => route),
        }
    }

    pub(crate) fn answered(&self, status: StatusCode, took: Duration, received: u64, sent: u64) {
        if let Some((index, label)) = place(status.as_u16())
            && let Some(counter) = self.answers.get(index)
        {
            let (registry, route) = (self.registry, self.route);
            counter
                .get_or_init(|| {
                    metrics::counter!(
                        REQUESTS, "registry" => registry, "route" => route, "status" => label
                    )
                })
                .increment(1);
        }
        self.seconds.record(took.as_secs_f64());
        if received > 0 {
            self.received.increment(received);
        }
        if sent > 0 {
            self.sent.increment(sent);
        }
    }
}

/// The counter of a status and its label: its own, or its class's.
fn place(status: u16) -> Option<(usize, &'static str)> {
    let index = match STATUSES.binary_search_by_key(&status, |(code, _)| *code) {
        Ok(index) => index,
        Err(_) => {
            let class = CLASSES
                .iter()
                .position(|(from, _)| *from == status / 100 * 100)?;
            STATUSES.len() + class
        }
    };
    STATUSES
        .iter()
        .chain(&CLASSES)
        .nth(index)
        .map(|(_, label)| (index, *label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_counter_of_its_own_or_its_classs() {
        assert!(STATUSES.is_sorted());
        for (status, label) in [(200, "200"), (503, "503"), (418, "4xx"), (299, "2xx")] {
            assert_eq!(place(status).map(|(_, label)| label), Some(label));
        }
        assert_eq!(place(777), None);
    }
}
