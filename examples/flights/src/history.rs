//! What one stream tells, event by event.

use std::fmt::{Debug, Write};
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use dormouse::{Aggregate, AggregateId, AggregateType, Event, Store, StreamId, Version};

use crate::aircraft::Aircraft;
use crate::flight::Flight;
use crate::truth::Truth;

/// Events shown of a stream's beginning and of its end.
const SHOWN: usize = 4;
/// The year's latest departure, in January: shown when it was replayed.
const LATEST: &str = "2013-01-09/HA/51/JFK";

/// A flight and an aircraft worth looking at.
pub(crate) fn two_histories(store: &Store, truth: &Truth) -> Result<String> {
    let flight = truth
        .flights
        .get_key_value(LATEST)
        .or_else(|| truth.flights.first_key_value());
    let aircraft = truth.aircraft.iter().max_by_key(|(_, history)| history.len());
    let (flight, aircraft) = (
        flight.context("no flights")?.0,
        aircraft.context("no aircraft")?.0,
    );
    Ok(history::<Flight>(store, flight)? + "\n" + &history::<Aircraft>(store, aircraft)?)
}

fn history<A: Aggregate<Event: Debug>>(store: &Store, id: &str) -> Result<String> {
    let stream = StreamId {
        aggregate_type: AggregateType::new(A::TYPE)?,
        id: AggregateId::try_from(id)?,
    };
    let mut lines = Vec::new();
    let mut failure = None;
    store.read_stream(&stream, Version::new(1), &mut |commit| {
        for event in commit.events() {
            match A::Event::decode(event.name, event.schema, event.codec, event.payload) {
                Ok(decoded) => lines.push(format!(
                    "  version {:>4}  position {:>9}  stored {}  {decoded:?}",
                    event.version.get(),
                    event.offset.get(),
                    commit.time()
                )),
                Err(error) => failure = Some(error),
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failure {
        return Err(error).context(stream.to_string());
    }
    let mut out = format!("{stream}: {} events\n", lines.len());
    for (number, line) in lines.iter().enumerate() {
        if number < SHOWN || number + SHOWN >= lines.len() {
            let _ = writeln!(out, "{line}");
        } else if number == SHOWN {
            let _ = writeln!(out, "  …");
        }
    }
    Ok(out)
}
