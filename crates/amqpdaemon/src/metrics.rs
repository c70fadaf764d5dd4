//! The daemon's numbers, as Prometheus reads them.
//!
//! Nothing is kept here: at each scrape the numbers are read from where the daemon counts anyway.

use std::fmt::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeMetric, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use crate::counters::{Count, Counters};
use crate::health::Health;
use crate::stuck::Stuck;

/// Where the numbers are read, and whose they are.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) submodule: String,
    /// The name of this instance.
    pub(crate) name: String,
    pub(crate) started: SystemTime,
    pub(crate) counters: Arc<Counters>,
    pub(crate) health: Arc<Health>,
    pub(crate) stuck: Arc<Stuck>,
}

impl Metrics {
    /// All numbers in OpenMetrics' text format, each labelled with the submodule. It uses only what Prometheus's older
    /// text format has as well.
    pub(crate) fn page(self: &Arc<Self>) -> Result<String, Error> {
        let label = ("submodule".into(), self.submodule.clone().into());
        let mut registry = Registry::with_labels([label].into_iter());
        registry.register_collector(Box::new(Arc::clone(self)));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(page)
    }

    fn outcomes(&self) -> [(&'static str, &Count); 6] {
        let counters = &self.counters;
        [
            ("answered", &counters.answered),
            ("exception", &counters.exceptions),
            ("answered_before", &counters.answered_before),
            ("dropped", &counters.dropped),
            ("requeued", &counters.requeued),
            ("interrupted", &counters.interrupted),
        ]
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let (counters, health) = (&self.counters, &self.health);
        let mut page = Page(encoder);
        page.count(
            "edeposit_requests_received",
            "Requests delivered by RabbitMQ",
            &counters.received,
        )?;
        page.count(
            "edeposit_requests_redelivered",
            "Requests that RabbitMQ had delivered before",
            &counters.redelivered,
        )?;
        page.counts(
            "edeposit_requests",
            "Requests by what became of them",
            "outcome",
            self.outcomes().map(|(name, count)| (name, count.get())),
        )?;
        page.counts(
            "edeposit_exceptions",
            "Requests answered with an exception, by its name",
            "name",
            counters.names.all(),
        )?;
        page.count(
            "edeposit_requests_known",
            "Requests delivered again and not carried out again",
            &counters.from_memory,
        )?;
        page.count(
            "edeposit_requests_poisonous",
            "Requests set aside because processes died with them",
            &counters.poison,
        )?;
        page.count(
            "edeposit_answers_parked",
            "Answers that no queue took",
            &counters.parked,
        )?;
        page.count(
            "edeposit_progress_messages",
            "Progress messages sent",
            &counters.progress,
        )?;
        page.gauge(
            "edeposit_requests_in_flight",
            "Requests received and not settled yet",
            counters.in_flight.get(),
        )?;
        page.durations(
            "edeposit_handler_duration_seconds",
            "How long handlers took, whatever their end",
            &counters.handler,
        )?;
        page.gauge(
            "edeposit_handlers_stuck",
            "Handlers that cannot be ended and block a thread each",
            self.stuck.count() as u64,
        )?;
        page.count(
            "edeposit_sessions",
            "Sessions with RabbitMQ that were set up",
            &health.sessions,
        )?;
        page.count(
            "edeposit_sessions_lost",
            "Sessions with RabbitMQ that were lost",
            &health.lost,
        )?;
        page.count(
            "edeposit_connect_failures",
            "Tries to set up a session with RabbitMQ that failed",
            &health.failures,
        )?;
        page.gauge(
            "edeposit_consuming",
            "1 while there is a session that consumes",
            u64::from(health.is_consuming()),
        )?;
        page.gauge(
            "edeposit_publishing_blocked",
            "1 while RabbitMQ takes no messages, being short of memory or disk",
            u64::from(health.is_blocked()),
        )?;
        page.gauge(
            "edeposit_liveness_proof_timestamp_seconds",
            "When RabbitMQ last proved that it serves this daemon, 0 if never",
            health.proved_at().map_or(0.0, unix_time),
        )?;
        page.gauge(
            "process_start_time_seconds",
            "Start of the process since the Unix epoch",
            unix_time(self.started),
        )?;
        page.info(
            "edeposit_build_info",
            "1; version and name of this instance are in the labels",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("name", self.name.as_str()),
            ],
        )
    }
}

fn unix_time(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// What is being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn count(&mut self, name: &str, help: &str, count: &Count) -> Result<(), Error> {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(count.get()).encode(encoder)
    }

    fn counts<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Result<(), Error> {
        let mut encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        counts.into_iter().try_for_each(|(value, count)| {
            ConstCounter::new(count).encode(encoder.encode_family(&[(label, value)])?)
        })
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn durations(
        &mut self,
        name: &str,
        help: &str,
        durations: &crate::durations::Durations,
    ) -> Result<(), Error> {
        let buckets = durations.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(durations.sum(), count, &buckets, None)
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str); 2]) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_family(labels)?
            .encode_gauge(&1u64)
    }
}
