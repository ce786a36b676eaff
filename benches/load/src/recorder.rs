//! The metrics recorder that a service would have, so that "metrics on" costs here what it costs there.

use std::time::Duration;

use anyhow::Result;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// An exporter's server does its upkeep about as often.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Installs it for the whole process, with the thread that keeps its histograms small.
pub(crate) fn install() -> Result<()> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle: PrometheusHandle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| anyhow::anyhow!("a recorder is installed already"))?;
    std::thread::Builder::new()
        .name("metrics-upkeep".into())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_EVERY);
                handle.run_upkeep();
            }
        })?;
    Ok(())
}
