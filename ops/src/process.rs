//! The process's own metrics, by the names that all of Prometheus's clients use: memory, descriptors, threads, processor
//! time.

use metrics_process::Collector;

/// Tells the metrics facade what they mean.
pub(crate) fn describe() {
    Collector::default().describe();
}

/// Tells it how they stand. Reads a few files of `/proc`, on Linux.
pub(crate) fn record() {
    Collector::default().collect();
}
