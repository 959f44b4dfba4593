//! Figures for Prometheus, per server: two in one process do not mix theirs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arroba_store::WriterFigures;
use arroba_xrpc::Observed;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::error::Error;

const REQUEST_SECONDS: &str = "arroba_request_duration_seconds";
const REQUESTS: &str = "arroba_requests_total";
const EVENTS: &str = "arroba_events_total";
const SEQ: &str = "arroba_seq";
const SUBSCRIBERS: &str = "arroba_subscribers";
const LAG: &str = "arroba_subscriber_lag_max_events";
const GROUPS: &str = "arroba_store_transactions_total";
const CHANGES: &str = "arroba_store_changes_total";
const SYNC_SECONDS: &str = "arroba_store_sync_seconds_total";
const BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The figures of one server. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    seq: Gauge,
    subscribers: Gauge,
    lag: Gauge,
    groups: Counter,
    changes: Counter,
    /// A counter of seconds, which Prometheus counts in fractions: a gauge that only grows.
    sync_seconds: Gauge,
    events: Counter,
    /// By route and status: registering anew for each request would cost more than counting.
    routes: Mutex<HashMap<(String, u16), (Counter, Histogram)>>,
}

static METADATA: Metadata<'static> = Metadata::new("arroba", Level::INFO, None);

impl Metrics {
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |error: metrics_exporter_prometheus::BuildError| Error::Metrics(error.to_string());
        let recorder = PrometheusBuilder::new().set_buckets(BUCKETS).map_err(failed)?.build_recorder();
        let describe = |name: &'static str, text: &'static str| (name.into(), Some(Unit::Count), text.into());
        for (name, unit, text) in [
            describe(SEQ, "newest sequence number of the event log"),
            describe(SUBSCRIBERS, "open subscriptions of the event stream"),
            describe(LAG, "events that the slowest subscriber has yet to be given"),
            describe(SYNC_SECONDS, "time spent in committing and syncing transactions since the start"),
        ] {
            recorder.describe_gauge(name, unit, text);
        }
        for (name, unit, text) in [
            describe(EVENTS, "events written since the start"),
            describe(GROUPS, "transactions committed since the start"),
            describe(CHANGES, "changes in those transactions"),
        ] {
            recorder.describe_counter(name, unit, text);
        }
        recorder.describe_histogram(
            REQUEST_SECONDS.into(),
            Some(Unit::Seconds),
            "time to the response's headers".into(),
        );
        let handle = recorder.handle();
        let gauge = |name| recorder.register_gauge(&Key::from_static_name(name), &METADATA);
        let counter = |name| recorder.register_counter(&Key::from_static_name(name), &METADATA);
        Ok(Self(Arc::new(Inner {
            handle,
            seq: gauge(SEQ),
            subscribers: gauge(SUBSCRIBERS),
            lag: gauge(LAG),
            sync_seconds: gauge(SYNC_SECONDS),
            groups: counter(GROUPS),
            changes: counter(CHANGES),
            events: counter(EVENTS),
            routes: Mutex::default(),
            recorder,
        })))
    }

    /// Counts a finished request. A request to no route of ours counts under an empty name.
    pub(crate) fn request(&self, observed: &Observed<'_>) {
        let key = (observed.route.to_owned(), observed.status.as_u16());
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let (counter, histogram) = routes.entry(key).or_insert_with_key(|(route, status)| {
            let route = Label::new("route", route.clone());
            let status = Label::new("status", status.to_string());
            let counted = Key::from_parts(REQUESTS, vec![route.clone(), status]);
            let timed = Key::from_parts(REQUEST_SECONDS, vec![route]);
            (
                self.0.recorder.register_counter(&counted, &METADATA),
                self.0.recorder.register_histogram(&timed, &METADATA),
            )
        });
        counter.increment(1);
        histogram.record(observed.elapsed.as_secs_f64());
    }

    /// Events that were written, and the newest number.
    pub(crate) fn wrote(&self, events: u64, newest: u64) {
        self.0.events.increment(events);
        self.0.seq.set(precise(newest));
    }

    /// All figures in Prometheus's text form, with those that are taken when asked for.
    pub(crate) fn render(&self, subscribers: usize, lags: &[u64], writer: &WriterFigures) -> String {
        self.0.subscribers.set(precise(subscribers as u64));
        self.0.lag.set(precise(lags.iter().copied().max().unwrap_or_default()));
        self.0.groups.absolute(writer.groups);
        self.0.changes.absolute(writer.changes);
        self.0.sync_seconds.set(writer.commit_time.as_secs_f64());
        self.0.handle.run_upkeep();
        self.0.handle.render()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Metrics")
    }
}

/// Sequence numbers stay below 2^53, where every whole number is one.
#[expect(clippy::cast_precision_loss, reason = "the values stay below 2^53")]
fn precise(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_two_servers_do_not_mix() {
        let (one, other) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        one.wrote(3, 4_294_967_299);
        let text = one.render(2, &[3, 40, 0], &WriterFigures::default());
        assert!(text.contains("arroba_subscriber_lag_max_events 40"), "{text}");
        assert!(text.contains("arroba_events_total 3") && text.contains("arroba_subscribers 2"), "{text}");
        assert!(text.contains("arroba_seq 4294967299"), "{text}");
        assert!(!other.render(0, &[], &WriterFigures::default()).contains("4294967299"));
    }
}
