//! What is shown live, each number by its name: how it is drawn, how it reads, and from what it is computed.

use std::time::Duration;

use crate::format;
use dormouse_persistence::{Distribution, EngineStatistics};
use dormouse_runtime::Statistics;

/// Two looks at the runtime's statistics, and the time between them.
pub(crate) struct Window<'a> {
    pub(crate) before: &'a Statistics,
    pub(crate) now: &'a Statistics,
    pub(crate) took: Duration,
}

type Number = fn(&Window<'_>) -> f64;
type Text = fn(&Window<'_>) -> String;

/// What charts draw: counts a second, seconds, bytes.
pub(crate) const SERIES: &[(&str, Number)] = &[
    ("committed", |w| w.rate(|s| s.committed)),
    ("replied", |w| w.rate(|s| s.replied)),
    ("replayed", |w| w.rate(|s| s.replayed)),
    ("refused", |w| w.rate(|s| s.refused)),
    ("not_done", |w| w.rate(|s| s.not_done)),
    ("overloaded", |w| w.rate(|s| s.overloaded)),
    ("events", |w| w.rate(|s| s.events)),
    ("queries", |w| w.rate(|s| s.queries)),
    ("commit_wait_p50", |w| w.quantile(|s| &s.commit_wait, 0.5)),
    ("commit_wait_p99", |w| w.quantile(|s| &s.commit_wait, 0.99)),
    ("commit_wait_p999", |w| w.quantile(|s| &s.commit_wait, 0.999)),
    ("handling_p50", |w| w.quantile(|s| &s.handling, 0.5)),
    ("handling_p99", |w| w.quantile(|s| &s.handling, 0.99)),
    ("handling_p999", |w| w.quantile(|s| &s.handling, 0.999)),
    ("sync_p50", |w| w.quantile(|s| &s.store.sync, 0.5)),
    ("sync_p99", |w| w.quantile(|s| &s.store.sync, 0.99)),
    ("batch_mean", |w| w.over(|s| &s.store.batch_commits).mean()),
    ("batch_p99", |w| {
        w.over(|s| &s.store.batch_commits).quantile(0.99) as f64
    }),
    ("resident_bytes", |w| w.now.resident_bytes as f64),
    ("memory_budget_bytes", |w| w.now.memory_budget_bytes as f64),
    ("residents", |w| w.now.residents as f64),
    ("activations", |w| w.rate(|s| s.activations)),
    ("passivated_memory", |w| w.rate(|s| s.passivated_memory)),
    ("passivated_idle", |w| w.rate(|s| s.passivated_idle)),
    ("in_flight", |w| w.now.in_flight as f64),
    ("queue_commits", |w| w.now.store.queue_commits as f64),
    ("tail_bytes", |w| w.now.store.tail_bytes as f64),
    ("tail_bytes_max", |w| w.now.store.tail_bytes_max as f64),
];

/// What is read: the same numbers over a few seconds, with their units.
pub(crate) const FIGURES: &[(&str, Text)] = &[
    ("commands", |w| format::decimal(w.rate(commands))),
    ("commands_total", |w| format::count(commands(w.now))),
    ("committed", |w| format::decimal(w.rate(|s| s.committed))),
    ("replied", |w| format::decimal(w.rate(|s| s.replied))),
    ("replayed", |w| format::decimal(w.rate(|s| s.replayed))),
    ("refused", |w| format::decimal(w.rate(|s| s.refused))),
    ("not_done", |w| format::decimal(w.rate(|s| s.not_done))),
    ("overloaded", |w| format::decimal(w.rate(|s| s.overloaded))),
    ("events", |w| format::decimal(w.rate(|s| s.events))),
    ("events_total", |w| format::count(w.now.events)),
    ("queries", |w| format::decimal(w.rate(|s| s.queries))),
    ("commit_wait_p50", |w| w.time(|s| &s.commit_wait, 0.5)),
    ("commit_wait_p99", |w| w.time(|s| &s.commit_wait, 0.99)),
    ("commit_wait_p999", |w| w.time(|s| &s.commit_wait, 0.999)),
    ("handling_p50", |w| w.time(|s| &s.handling, 0.5)),
    ("handling_p99", |w| w.time(|s| &s.handling, 0.99)),
    ("handling_p999", |w| w.time(|s| &s.handling, 0.999)),
    ("sync_p50", |w| w.time(|s| &s.store.sync, 0.5)),
    ("sync_p99", |w| w.time(|s| &s.store.sync, 0.99)),
    ("sync_share", |w| {
        format::percent(
            w.over(|s| &s.store.sync).sum_time().as_secs_f64(),
            w.took.as_secs_f64(),
        )
    }),
    ("syncs", |w| format::decimal(w.rate(|s| s.store.syncs))),
    ("syncs_total", |w| format::count(w.now.store.syncs)),
    ("batch_mean", |w| {
        format::decimal(w.over(|s| &s.store.batch_commits).mean())
    }),
    ("batch_p99", |w| {
        format::count(w.over(|s| &s.store.batch_commits).quantile(0.99))
    }),
    ("batch_max", |w| format::count(w.now.store.batch_commits.max())),
    ("batch_bytes", |w| {
        format::bytes(w.over(|s| &s.store.batch_bytes).mean() as u64)
    }),
    ("batches_total", |w| format::count(w.now.store.batches)),
    ("written_total", |w| format::bytes(w.now.store.batch_bytes.sum())),
    ("residents", |w| format::count(w.now.residents as u64)),
    ("residents_peak", |w| format::count(w.now.residents_peak as u64)),
    ("resident_bytes", |w| format::bytes(w.now.resident_bytes as u64)),
    ("memory_budget_bytes", |w| {
        format::bytes(w.now.memory_budget_bytes as u64)
    }),
    ("memory_share", |w| {
        format::percent(w.now.resident_bytes as f64, w.now.memory_budget_bytes as f64)
    }),
    ("activations", |w| format::decimal(w.rate(|s| s.activations))),
    ("activation_p99", |w| w.time(|s| &s.activation, 0.99)),
    ("passivated_memory", |w| {
        format::decimal(w.rate(|s| s.passivated_memory))
    }),
    ("passivated_idle", |w| {
        format::decimal(w.rate(|s| s.passivated_idle))
    }),
    ("in_flight", |w| format::count(w.now.in_flight as u64)),
    ("queue_commits", |w| format::count(w.now.store.queue_commits)),
    ("queue_bytes", |w| format::bytes(w.now.store.queue_bytes)),
    ("tail_bytes", |w| format::bytes(w.now.store.tail_bytes)),
    ("tail_bytes_max", |w| format::bytes(w.now.store.tail_bytes_max)),
    ("unindexed", |w| format::count(unindexed(w.now))),
    ("durable", |w| format::count(w.now.store.durable.get())),
    ("indexed", |w| format::count(w.now.store.indexed.get())),
    ("runs_indexed", |w| format::count(w.now.store.runs_indexed)),
    ("open_streams", |w| format::count(w.now.store.open_streams)),
    ("disk_bytes", |w| format::bytes(w.now.store.disk_bytes)),
    ("log_wal_bytes", |w| {
        format::bytes(w.now.store.engine.log_wal_bytes)
    }),
    ("log_table_bytes", |w| {
        format::bytes(w.now.store.engine.log_table_bytes)
    }),
    ("derived_table_bytes", |w| {
        format::bytes(w.now.store.engine.derived_table_bytes)
    }),
    ("obsolete_bytes", |w| {
        format::bytes(w.now.store.engine.obsolete_bytes)
    }),
    ("memtable_bytes", |w| {
        format::bytes(w.now.store.engine.memtable_bytes)
    }),
    ("cache_bytes", |w| format::bytes(w.now.store.engine.cache_bytes)),
    ("compaction_pending_bytes", |w| {
        format::bytes(w.now.store.engine.compaction_pending_bytes)
    }),
    ("cache_hits", |w| {
        let (hits, misses) = (cache(w, |e| e.cache_hits), cache(w, |e| e.cache_misses));
        if hits + misses > 0.0 {
            format::percent(hits, hits + misses)
        } else {
            "–".into()
        }
    }),
    ("table_reader_bytes", |w| {
        format::bytes(w.now.store.engine.table_reader_bytes)
    }),
    ("disk_free_bytes", |w| {
        format::bytes(w.now.store.engine.disk_free_bytes)
    }),
    ("stall", |w| format::duration(w.now.store.engine.stall)),
    ("compactions_running", |w| {
        format::count(w.now.store.engine.compactions_running)
    }),
    ("stream_runs", |w| format::count(w.now.store.engine.stream_runs)),
    ("log_level0_tables", |w| {
        format::count(w.now.store.engine.log_level0_tables)
    }),
    ("room_wait", |w| format::duration(w.now.store.room_wait)),
    ("unknown_commits", |w| format::count(w.now.store.unknown_commits)),
    ("stale_commits", |w| format::count(w.now.store.stale_commits)),
    ("stopped_commits", |w| format::count(w.now.store.stopped_commits)),
    ("generation", |w| format::count(w.now.store.generation)),
    ("panics", |w| format::count(w.now.panics)),
    ("long_turns", |w| format::count(w.now.long_turns)),
    ("snapshots_written", |w| format::count(w.now.snapshots_written)),
    ("snapshots_dropped", |w| format::count(w.now.snapshots_dropped)),
    ("snapshots_unreadable", |w| {
        format::count(w.now.snapshots_unreadable)
    }),
    ("activations_failed", |w| format::count(w.now.activations_failed)),
    ("activations_total", |w| format::count(w.now.activations)),
];

/// However they were answered.
fn commands(s: &Statistics) -> u64 {
    s.committed + s.replied + s.replayed + s.refused + s.not_done + s.overloaded
}

/// Of a window's look-ups in the block cache.
fn cache(w: &Window<'_>, count: fn(&EngineStatistics) -> u64) -> f64 {
    let (now, before) = (&w.now.store.engine, &w.before.store.engine);
    count(now).saturating_sub(count(before)) as f64
}

/// Events that are durable and not sorted by stream yet.
fn unindexed(s: &Statistics) -> u64 {
    s.store.durable.get().saturating_sub(s.store.indexed.get())
}

impl Window<'_> {
    /// A second.
    fn rate(&self, count: fn(&Statistics) -> u64) -> f64 {
        let seconds = self.took.as_secs_f64();
        let grown = count(self.now).saturating_sub(count(self.before));
        if seconds > 0.0 {
            grown as f64 / seconds
        } else {
            0.0
        }
    }

    fn over(&self, of: fn(&Statistics) -> &Distribution) -> Distribution {
        of(self.now).since(of(self.before))
    }

    /// Of times, in seconds.
    fn quantile(&self, of: fn(&Statistics) -> &Distribution, q: f64) -> f64 {
        self.over(of).quantile_time(q).as_secs_f64()
    }

    /// The same to be read; a dash where nothing happened.
    fn time(&self, of: fn(&Statistics) -> &Distribution, q: f64) -> String {
        let window = self.over(of);
        if window.count() == 0 {
            "–".into()
        } else {
            format::duration(window.quantile_time(q))
        }
    }
}
