//! Reads everything back from the store and compares it with the [`Truth`].

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use anyhow::Result;
use dormouse::{AggregateId, AggregateType, Offset, Store, StoredCommit, StreamId, Version};

use crate::truth::{History, Refused, Truth};
use crate::wire::{Outcome, Reason};

/// Every so many streams one is read by itself, too; the aircraft all are.
const STREAMS_A_SAMPLE: usize = 16;

/// One line of the comparison.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) table: u64,
    pub(crate) ours: u64,
}

#[derive(Default)]
pub(crate) struct Comparison {
    pub(crate) lines: Vec<Line>,
    /// Events in the log.
    pub(crate) events: u64,
    /// The first few, in words.
    pub(crate) differences: Vec<String>,
    pub(crate) differences_count: u64,
}

impl Comparison {
    fn line(&mut self, what: &'static str, table: u64, ours: u64) {
        if table != ours {
            self.differs(|| format!("{what}: {table} in the table, {ours} by Dormouse"));
        }
        self.lines.push(Line { what, table, ours });
    }

    /// Compares how commands were answered, too. Refused ones leave nothing in the store.
    pub(crate) fn refusals(&mut self, answered: &BTreeMap<Outcome, u64>, refused: &Refused) {
        let times = |reason| answered.get(&Outcome::Refused(reason)).copied().unwrap_or(0);
        let (in_the_air, on_the_ground) = (times(Reason::StillInTheAir), times(Reason::OnTheGround));
        let all: u64 = answered
            .iter()
            .filter(|(o, _)| matches!(o, Outcome::Refused(_)))
            .map(|(_, times)| times)
            .sum();
        self.line(
            "take-offs refused",
            refused.after_missing_arrival + refused.on_two_flights,
            in_the_air,
        );
        self.line("landings refused", refused.landed_already, on_the_ground);
        self.line("other commands refused", 0, all - in_the_air - on_the_ground);
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
    comparison.events = stored.last;
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
        let key = (
            stream.aggregate_type.as_str().to_owned(),
            stream.id.as_str().to_owned(),
        );
        let history = self.streams.entry(key).or_default();
        for event in commit.events() {
            let (version, offset) = (event.version.get(), event.offset.get());
            if version != history.len() as u64 + 1 {
                comparison
                    .differs(|| format!("{stream}: version {version} follows version {}", history.len()));
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
            None => comparison
                .differs(|| format!("{stream}: a commit at offset {} without command id", self.last)),
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.streams
            .values()
            .flatten()
            .filter(|stored| **stored == name)
            .count() as u64
    }
}

/// The stored name, borrowed from the program; one that is not the demonstration's shows as a difference.
fn event_name(stored: &str) -> &'static str {
    [
        "Scheduled",
        "Departed",
        "Arrived",
        "Cancelled",
        "TookOff",
        "Landed",
    ]
    .into_iter()
    .find(|known| *known == stored)
    .unwrap_or("unknown event")
}

fn compare_totals(comparison: &mut Comparison, stored: &Stored, truth: &Truth) {
    let moved = |name| {
        truth
            .aircraft
            .values()
            .flatten()
            .filter(|moved| **moved == name)
            .count() as u64
    };
    let events = truth
        .flights
        .values()
        .chain(truth.aircraft.values())
        .map(|history| history.len() as u64)
        .sum();
    comparison.line("flights scheduled", truth.scheduled, stored.count("Scheduled"));
    comparison.line("flights departed", truth.departed, stored.count("Departed"));
    comparison.line("flights arrived", truth.arrived, stored.count("Arrived"));
    comparison.line("flights cancelled", truth.cancelled, stored.count("Cancelled"));
    comparison.line(
        "aircraft",
        truth.aircraft.len() as u64,
        stored.streams_of("aircraft"),
    );
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
        self.streams
            .keys()
            .filter(|(stored, _)| stored == aggregate_type)
            .count() as u64
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
            comparison.differs(|| {
                format!("{aggregate_type}/{id}: {history:?} in the table, {found:?} in the store")
            });
        }
    }
    for (_, id) in stored
        .streams
        .keys()
        .filter(|(stored, id)| stored == aggregate_type && !wanted.contains_key(id))
    {
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
            comparison.differs(|| {
                format!("{stream}: {history:?} in the log, {found:?} in its stream up to {head}")
            });
        }
        in_log += history.len() as u64;
        in_streams += found.len() as u64;
    }
    comparison.line("events of streams read singly", in_log, in_streams);
    Ok(())
}

#[cfg(test)]
mod tests {
    use dormouse::{Dormouse, Store};

    use super::*;
    use crate::aircraft::{Aircraft, Land, TakeOff};
    use crate::flight::{Depart, Flight, Schedule};
    use crate::steps::{Kind, Step};
    use crate::{data, truth};

    const COLUMNS: &str =
        "carrier,flight,origin,month,day,sched_dep_time,dep_delay,arr_time,air_time,distance,tailnum";
    /// One flight that left and whose arrival is missing.
    const LEFT: &str = "UA,1,JFK,1,1,900,5,,,100,N1";

    fn table(rows: &[&str]) -> Truth {
        truth::count(&[&[COLUMNS], rows].concat().join("\n"), &(1..=12)).unwrap()
    }

    /// A store in which [`LEFT`] happened, and the aircraft landed as often as asked for.
    async fn store(landings: u32) -> (Dormouse, Store) {
        let store = Store::in_memory();
        let runtime = Dormouse::builder(store.clone())
            .aggregate::<Flight>()
            .aggregate::<Aircraft>()
            .start()
            .await
            .unwrap();
        let record = &data::read(&(1..=1)).unwrap()[0];
        let id = |at_min, kind| {
            Step {
                at_min,
                kind,
                record: 0,
            }
            .command_id(record)
        };
        let flight = runtime.entity::<Flight>("2013-01-01/UA/1/JFK").unwrap();
        let schedule = Schedule {
            destination: "SFO".into(),
            distance_miles: 100,
            departs_clock: 900,
            arrives_clock: 1000,
            aircraft: Some("N1".into()),
        };
        flight.execute(schedule).id(id(0, Kind::Schedule)).await.unwrap();
        flight
            .execute(Depart { delay_min: 5 })
            .id(id(1, Kind::Depart))
            .await
            .unwrap();
        let aircraft = runtime.entity::<Aircraft>("N1").unwrap();
        let named = || "2013-01-01/UA/1/JFK".to_owned();
        aircraft
            .execute(TakeOff { flight: named() })
            .id(id(2, Kind::TakeOff))
            .await
            .unwrap();
        for landing in 0..landings {
            aircraft
                .execute(Land { flight: named() })
                .id(id(3 + landing.cast_signed(), Kind::Land))
                .await
                .unwrap();
        }
        (runtime, store)
    }

    fn differences(store: &Store, truth: &Truth) -> Vec<String> {
        compare(store, truth).unwrap().differences
    }

    #[tokio::test]
    async fn a_store_that_holds_what_the_table_says_is_equal() {
        let (_runtime, store) = store(0).await;
        let comparison = compare(&store, &table(&[LEFT])).unwrap();
        assert_eq!(comparison.differences, [""; 0]);
        assert!(comparison.equal() && comparison.events == 3);
    }

    #[tokio::test]
    async fn what_the_store_lacks_is_found() {
        let (_runtime, store) = store(0).await;
        let arrived = table(&["UA,1,JFK,1,1,900,5,1000,60,100,N1"]);
        let found = differences(&store, &arrived).join("\n");
        assert!(
            found.contains("flights arrived: 1 in the table, 0 by Dormouse"),
            "{found}"
        );
        assert!(
            found.contains("flight/2013-01-01/UA/1/JFK: [\"Scheduled\", \"Departed\", \"Arrived\"]"),
            "{found}"
        );
        assert!(found.contains("aircraft/N1"), "{found}");
    }

    #[tokio::test]
    async fn what_only_the_store_holds_is_found() {
        let (_runtime, store) = store(1).await;
        let found = differences(&store, &table(&[LEFT])).join("\n");
        assert!(
            found.contains("landings: 0 in the table, 1 by Dormouse"),
            "{found}"
        );
        let found = differences(&store, &table(&[])).join("\n");
        assert!(found.contains("aircraft/N1 is in the store only"), "{found}");
    }

    #[tokio::test]
    async fn a_refusal_too_many_is_found() {
        let mut comparison = Comparison::default();
        let refused = Refused {
            on_two_flights: 2,
            ..Refused::default()
        };
        let answered = BTreeMap::from([(Outcome::Done, 7), (Outcome::Refused(Reason::StillInTheAir), 2)]);
        comparison.refusals(&answered, &refused);
        assert!(comparison.equal());
        let answered = BTreeMap::from([(Outcome::Refused(Reason::StillInTheAir), 3)]);
        comparison.refusals(&answered, &refused);
        assert_eq!(
            comparison.differences,
            ["take-offs refused: 2 in the table, 3 by Dormouse"]
        );
    }
}
