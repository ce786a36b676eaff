//! Reads everything back from the store and compares it with the [`Truth`].

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use anyhow::Result;
use dormouse::{AggregateId, AggregateType, Offset, Store, StoredCommit, StreamId, Version};

use crate::truth::{History, Truth};

/// Every so many streams one is read by itself, too; the aircraft all are.
const STREAMS_A_SAMPLE: usize = 16;

/// One line of the comparison.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) table: u64,
    pub(crate) store: u64,
}

#[derive(Default)]
pub(crate) struct Comparison {
    pub(crate) lines: Vec<Line>,
    /// The first few, in words.
    pub(crate) differences: Vec<String>,
    pub(crate) differences_count: u64,
}

impl Comparison {
    fn line(&mut self, what: &'static str, table: u64, store: u64) {
        if table != store {
            self.differs(|| format!("{what}: {table} in the table, {store} in the store"));
        }
        self.lines.push(Line { what, table, store });
    }

    fn differs(&mut self, say: impl FnOnce() -> String) {
        const SHOWN_MAX: usize = 20;
        self.differences_count += 1;
        if self.differences.len() < SHOWN_MAX {
            self.differences.push(say());
        }
    }

    pub(crate) fn equal(&self) -> bool {
        self.differences_count == 0
    }
}

/// What the log holds.
#[derive(Default)]
struct Stored {
    /// By type and id.
    streams: HashMap<(String, String), History>,
    last: u64,
    commits: u64,
    commands: Vec<u128>,
}

pub(crate) fn compare(store: &Store, truth: &Truth) -> Result<Comparison> {
    let mut comparison = Comparison::default();
    let mut stored = Stored::default();
    store.read_log(Offset::NONE.next(), &mut |commit| {
        stored.take(commit, &mut comparison);
        ControlFlow::Continue(())
    })?;
    compare_totals(&mut comparison, &stored, truth);
    for (aggregate_type, wanted) in [("flight", &truth.flights), ("aircraft", &truth.aircraft)] {
        compare_histories(&mut comparison, &stored, aggregate_type, wanted);
    }
    compare_streams(&mut comparison, store, &stored)?;
    Ok(comparison)
}

impl Stored {
    fn take(&mut self, commit: &StoredCommit<'_>, comparison: &mut Comparison) {
        let stream = commit.stream();
        let key = (stream.aggregate_type.as_str().to_owned(), stream.id.as_str().to_owned());
        let history = self.streams.entry(key).or_default();
        for event in commit.events() {
            let (version, offset) = (event.version.get(), event.offset.get());
            if version != history.len() as u64 + 1 {
                comparison.differs(|| format!("{stream}: version {version} follows version {}", history.len()));
            }
            if offset != self.last + 1 {
                comparison.differs(|| format!("{stream}: offset {offset} follows offset {}", self.last));
            }
            self.last = offset;
            history.push(event_name(event.name));
        }
        self.commits += 1;
        match commit.command() {
            Some(command) => self.commands.push(command.id.as_u128()),
            None => comparison.differs(|| format!("{stream}: a commit at offset {} without command id", self.last)),
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.streams.values().flatten().filter(|stored| **stored == name).count() as u64
    }
}

/// The stored name, borrowed from the program; one that is not the demonstration's shows as a difference.
fn event_name(stored: &str) -> &'static str {
    ["Scheduled", "Departed", "Arrived", "Cancelled", "TookOff", "Landed"]
        .into_iter()
        .find(|known| *known == stored)
        .unwrap_or("unknown event")
}

fn compare_totals(comparison: &mut Comparison, stored: &Stored, truth: &Truth) {
    let moved = |name| truth.aircraft.values().flatten().filter(|moved| **moved == name).count() as u64;
    let events = truth.flights.values().chain(truth.aircraft.values()).map(|history| history.len() as u64).sum();
    comparison.line("flights scheduled", truth.scheduled, stored.count("Scheduled"));
    comparison.line("flights departed", truth.departed, stored.count("Departed"));
    comparison.line("flights arrived", truth.arrived, stored.count("Arrived"));
    comparison.line("flights cancelled", truth.cancelled, stored.count("Cancelled"));
    comparison.line("aircraft", truth.aircraft.len() as u64, stored.streams_of("aircraft"));
    comparison.line("take-offs", moved("TookOff"), stored.count("TookOff"));
    comparison.line("landings", moved("Landed"), stored.count("Landed"));
    comparison.line("last position", events, stored.last);
    let mut commands = stored.commands.clone();
    commands.sort_unstable();
    commands.dedup();
    comparison.line("command ids", stored.commits, commands.len() as u64);
}

impl Stored {
    fn streams_of(&self, aggregate_type: &str) -> u64 {
        self.streams.keys().filter(|(stored, _)| stored == aggregate_type).count() as u64
    }
}

/// Stream by stream, every event in order.
fn compare_histories(
    comparison: &mut Comparison,
    stored: &Stored,
    aggregate_type: &str,
    wanted: &BTreeMap<String, History>,
) {
    for (id, history) in wanted {
        let found = stored.streams.get(&(aggregate_type.to_owned(), id.clone()));
        if found != Some(history) {
            comparison.differs(|| format!("{aggregate_type}/{id}: {history:?} in the table, {found:?} in the store"));
        }
    }
    for (_, id) in stored.streams.keys().filter(|(stored, id)| stored == aggregate_type && !wanted.contains_key(id)) {
        comparison.differs(|| format!("{aggregate_type}/{id} is in the store only"));
    }
}

/// The index by stream must tell the same as the log.
fn compare_streams(comparison: &mut Comparison, store: &Store, stored: &Stored) -> Result<()> {
    let (mut in_log, mut in_streams) = (0, 0);
    for (number, ((aggregate_type, id), history)) in stored.streams.iter().enumerate() {
        if aggregate_type == "flight" && !number.is_multiple_of(STREAMS_A_SAMPLE) {
            continue;
        }
        let stream = StreamId {
            aggregate_type: AggregateType::new(aggregate_type.clone())?,
            id: AggregateId::try_from(id.as_str())?,
        };
        let mut found = History::new();
        let reached = store.read_stream(&stream, Version::new(1), &mut |commit| {
            found.extend(commit.events().map(|event| event_name(event.name)));
            ControlFlow::Continue(())
        })?;
        let head = reached.version().get();
        if found != *history || head != history.len() as u64 {
            comparison.differs(|| format!("{stream}: {history:?} in the log, {found:?} in its stream up to {head}"));
        }
        in_log += history.len() as u64;
        in_streams += found.len() as u64;
    }
    comparison.line("events of streams read singly", in_log, in_streams);
    Ok(())
}
