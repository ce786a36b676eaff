//! The process's metrics, for Prometheus: through the `metrics` facade, to an exporter of ours if nobody chose another.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::process;

/// Between two collections of the values that histograms were told: bounds what they hold if nobody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Histograms have buckets, not quantiles reckoned here: buckets of many instances can be added up, and a quantile of all
/// of them asked for (`histogram_quantile`); quantiles can't. The steps are 1, 2, 5: a quantile is off by at most a half.
/// From a handler's turn, some 10 µs, to the longest deadline anyone waits for.
const SECONDS: [f64; 21] = [
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 30.0, 60.0,
];
/// Powers of four, from an event to the largest batch.
const BYTES: [f64; 10] = [
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Commits of a batch, events of an activation, commands in a mailbox.
const COUNTS: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 100_000.0,
];

/// One a process, like the facade's: a second ops server shows the same metrics. None: the service has a recorder of its
/// own, which is left alone.
static INSTALLED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, the first time. Answers what `/metrics` renders, if it is ours.
pub(crate) fn install() -> Option<&'static PrometheusHandle> {
    INSTALLED.get_or_init(try_install).as_ref()
}

fn try_install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets(&COUNTS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES))
        .expect("the lists of buckets are not empty");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::info!(
            "the service has a metrics recorder of its own: /metrics of the ops server answers that it is not there"
        );
        return None;
    }
    process::describe();
    keep_up(handle.clone());
    Some(handle)
}

/// For as long as the process lives, as the recorder does.
fn keep_up(handle: PrometheusHandle) {
    let thread = thread::Builder::new().name("dormouse-upkeep".into());
    let spawned = thread.spawn(move || {
        loop {
            thread::sleep(UPKEEP_EVERY);
            handle.run_upkeep();
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for the upkeep of metrics: without scrapes they take more and more memory");
    }
}
