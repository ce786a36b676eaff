//! What must be in the store, counted straight from the text of the table. Nothing of what reads, orders or handles
//! the commands is used here, so that a mistake there shows as a difference.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context, Result};

/// What one stream must hold, in order.
pub(crate) type History = Vec<&'static str>;

/// What the table says.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) scheduled: u64,
    pub(crate) departed: u64,
    pub(crate) arrived: u64,
    pub(crate) cancelled: u64,
    /// By flight id.
    pub(crate) flights: BTreeMap<String, History>,
    /// By tail number.
    pub(crate) aircraft: BTreeMap<String, History>,
    pub(crate) refused: Refused,
}

/// Take-offs and landings that a rule about one aircraft at a time can't accept, by what the records are like.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Take-offs after a flight whose arrival is missing.
    pub(crate) after_missing_arrival: u64,
    /// Take-offs while the records have the aircraft on another flight that did arrive, later.
    pub(crate) on_two_flights: u64,
    /// Landings of flights whose take-off was refused, after the other flight's landing.
    pub(crate) landed_already: u64,
}

/// A take-off or a landing.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Move {
    minute: i64,
    takes_off: bool,
    arrives_later: bool,
}

pub(crate) fn count(table: &str, months: &RangeInclusive<u8>) -> Result<Truth> {
    let mut truth = Truth::default();
    let mut moves: BTreeMap<&str, Vec<Move>> = BTreeMap::new();
    let mut lines = table.lines();
    let columns: Vec<&str> = lines.next().context("the table is empty")?.split(',').collect();
    for line in lines {
        let row: BTreeMap<&str, &str> = columns.iter().copied().zip(line.split(',')).collect();
        if !months.contains(&row["month"].parse()?) {
            continue;
        }
        let id = format!(
            "2013-{:0>2}-{:0>2}/{}/{}/{}",
            row["month"], row["day"], row["carrier"], row["flight"], row["origin"]
        );
        truth.scheduled += 1;
        let mut history = vec!["Scheduled"];
        if row["dep_delay"].is_empty() {
            truth.cancelled += 1;
            history.push("Cancelled");
        } else {
            truth.departed += 1;
            history.push("Departed");
            let arrives_later = !row["arr_time"].is_empty();
            let left = minute_of_departure(&row)?;
            let of_aircraft = moves.entry(row["tailnum"]).or_default();
            of_aircraft.push(Move {
                minute: left,
                takes_off: true,
                arrives_later,
            });
            if arrives_later {
                truth.arrived += 1;
                history.push("Arrived");
                let minute = left + minutes_in_the_air(&row)?;
                of_aircraft.push(Move {
                    minute,
                    takes_off: false,
                    arrives_later,
                });
            }
        }
        truth.flights.insert(id, history);
    }
    for (tail, mut moves) in moves {
        moves.sort();
        let history = truth.refused.follow(&moves);
        truth.aircraft.insert(tail.to_owned(), history);
    }
    Ok(truth)
}

impl Refused {
    /// What happens to one aircraft, given what the records want of it.
    fn follow(&mut self, moves: &[Move]) -> History {
        let mut history = History::new();
        let mut flying: Option<&Move> = None;
        for wanted in moves {
            match (wanted.takes_off, flying) {
                (true, None) => {
                    flying = Some(wanted);
                    history.push("TookOff");
                }
                (false, Some(_)) => {
                    flying = None;
                    history.push("Landed");
                }
                (true, Some(on)) if on.arrives_later => self.on_two_flights += 1,
                (true, Some(_)) => self.after_missing_arrival += 1,
                (false, None) => self.landed_already += 1,
            }
        }
        history
    }
}

/// Minutes since the year began, by New York's winter clock.
fn minute_of_departure(row: &BTreeMap<&str, &str>) -> Result<i64> {
    let (month, day): (u32, i64) = (row["month"].parse()?, row["day"].parse()?);
    let clock: i64 = row["sched_dep_time"].parse()?;
    let delay: i64 = row["dep_delay"].parse()?;
    let days_in = |month| match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let days = (1..month).map(days_in).sum::<i64>() + day - 1;
    // In 2013 summer time went from day 69 of the year, 10 March, up to day 307, 3 November.
    let summer = if (68..306).contains(&days) { 60 } else { 0 };
    Ok((days * 24 + clock / 100) * 60 + clock % 100 - summer + delay)
}

fn minutes_in_the_air(row: &BTreeMap<&str, &str>) -> Result<i64> {
    if row["air_time"].is_empty() {
        // Diverted: reckoned at eight miles a minute and twenty minutes more.
        return Ok(row["distance"].parse::<i64>()? / 8 + 20);
    }
    Ok(row["air_time"].parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table;

    #[test]
    fn the_year_adds_up() {
        let truth = count(&table().unwrap(), &(1..=12)).unwrap();
        assert_eq!(truth.scheduled, 336_776);
        assert_eq!(truth.departed, 328_521);
        assert_eq!(truth.arrived, 328_063);
        assert_eq!(truth.cancelled, 8_255);
        assert_eq!(truth.flights.len(), 336_776);
        let moves = |name| {
            truth
                .aircraft
                .values()
                .flatten()
                .filter(|&&moved| moved == name)
                .count()
        };
        assert_eq!(moves("TookOff"), 327_952);
        assert_eq!(moves("Landed"), 327_946);
        assert_eq!(
            truth.refused,
            Refused {
                after_missing_arrival: 452,
                on_two_flights: 117,
                landed_already: 117
            }
        );
    }

    #[test]
    fn an_aircraft_whose_arrival_is_missing_comes_back_with_its_next_landing() {
        let at = |minute, takes_off, arrives_later| Move {
            minute,
            takes_off,
            arrives_later,
        };
        let mut refused = Refused::default();
        let history = refused.follow(&[
            at(0, true, false),
            at(300, true, true),
            at(500, false, true),
            at(600, true, true),
        ]);
        assert_eq!(history, ["TookOff", "Landed", "TookOff"]);
        assert_eq!(
            refused,
            Refused {
                after_missing_arrival: 1,
                ..Refused::default()
            }
        );
    }

    #[test]
    fn one_aircraft_on_two_flights_at_once_takes_off_and_lands_once() {
        let at = |minute, takes_off| Move {
            minute,
            takes_off,
            arrives_later: true,
        };
        let mut refused = Refused::default();
        let history = refused.follow(&[at(0, true), at(50, true), at(300, false), at(350, false)]);
        assert_eq!(history, ["TookOff", "Landed"]);
        assert_eq!(
            refused,
            Refused {
                on_two_flights: 1,
                landed_already: 1,
                ..Refused::default()
            }
        );
    }
}
