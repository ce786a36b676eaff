//! One flight on one day: scheduled, then cancelled, or departed and (nearly always) arrived.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// A flight, named by date, carrier, number and origin: `2013-01-09/HA/51/JFK`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flight {
    stage: Stage,
    /// Minutes it left late; negative when early, 0 until it has left.
    delay_min: i16,
}

/// How far a flight has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Unknown,
    Scheduled,
    Departed,
    Arrived,
    Cancelled,
}

/// What happened to a flight. Clock values are local times of their airport, written as 1545 for 15:45: good for
/// showing, useless for ordering.
#[derive(Debug, Clone, PartialEq, Event)]
pub(crate) enum FlightEvent {
    Scheduled {
        destination: String,
        distance_miles: u16,
        departs_clock: u16,
        arrives_clock: u16,
        aircraft: Option<String>,
    },
    Departed {
        delay_min: i16,
    },
    Arrived {
        clock: u16,
        /// Not recorded for the 717 flights that were diverted.
        air_time_min: Option<u16>,
    },
    Cancelled,
}

/// Why a flight refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum FlightRefusal {
    #[error("the flight isn't scheduled")]
    NotScheduled,
    #[error("the flight is scheduled already")]
    AlreadyScheduled,
    #[error("the flight hasn't departed")]
    NotDeparted,
    #[error("the flight has departed already")]
    AlreadyDeparted,
    #[error("the flight has arrived already")]
    AlreadyArrived,
    #[error("the flight is cancelled")]
    AlreadyCancelled,
}

/// Puts the flight into the timetable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct Schedule {
    pub(crate) destination: String,
    pub(crate) distance_miles: u16,
    pub(crate) departs_clock: u16,
    pub(crate) arrives_clock: u16,
    pub(crate) aircraft: Option<String>,
}

/// The flight leaves its gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct Depart {
    pub(crate) delay_min: i16,
}

/// The flight reaches its gate. The reply is how late it had left, in minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(reply = i16)]
pub(crate) struct Arrive {
    pub(crate) clock: u16,
    pub(crate) air_time_min: Option<u16>,
}

/// The flight is not going to happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct Cancel {}

impl Aggregate for Flight {
    const TYPE: &'static str = "flight";
    type Event = FlightEvent;
    type Error = FlightRefusal;

    fn apply(&mut self, event: &FlightEvent) {
        match event {
            FlightEvent::Scheduled { .. } => self.stage = Stage::Scheduled,
            FlightEvent::Departed { delay_min } => {
                self.stage = Stage::Departed;
                self.delay_min = *delay_min;
            }
            FlightEvent::Arrived { .. } => self.stage = Stage::Arrived,
            FlightEvent::Cancelled => self.stage = Stage::Cancelled,
        }
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(0) // nothing on the heap
    }
}

impl Flight {
    /// Why a flight at this stage can't leave, or be cancelled: for both it must be scheduled and no more.
    fn waiting(&self) -> Result<(), FlightRefusal> {
        match self.stage {
            Stage::Scheduled => Ok(()),
            Stage::Unknown => Err(FlightRefusal::NotScheduled),
            Stage::Departed => Err(FlightRefusal::AlreadyDeparted),
            Stage::Arrived => Err(FlightRefusal::AlreadyArrived),
            Stage::Cancelled => Err(FlightRefusal::AlreadyCancelled),
        }
    }
}

impl Handle<Schedule> for Flight {
    fn handle(&self, command: Schedule, _: &CommandContext<'_>) -> Decided<Self, Schedule> {
        if self.stage != Stage::Unknown {
            return Err(FlightRefusal::AlreadyScheduled);
        }
        let Schedule {
            destination,
            distance_miles,
            departs_clock,
            arrives_clock,
            aircraft,
        } = command;
        Ok(Decision::event(FlightEvent::Scheduled {
            destination,
            distance_miles,
            departs_clock,
            arrives_clock,
            aircraft,
        }))
    }
}

impl Handle<Depart> for Flight {
    fn handle(&self, command: Depart, _: &CommandContext<'_>) -> Decided<Self, Depart> {
        self.waiting()?;
        Ok(Decision::event(FlightEvent::Departed {
            delay_min: command.delay_min,
        }))
    }
}

impl Handle<Arrive> for Flight {
    fn handle(&self, command: Arrive, _: &CommandContext<'_>) -> Decided<Self, Arrive> {
        match self.stage {
            Stage::Departed => {
                let Arrive { clock, air_time_min } = command;
                Ok(Decision::event(FlightEvent::Arrived { clock, air_time_min })
                    .reply(|after| after.delay_min))
            }
            Stage::Arrived => Err(FlightRefusal::AlreadyArrived),
            Stage::Cancelled => Err(FlightRefusal::AlreadyCancelled),
            Stage::Unknown | Stage::Scheduled => Err(FlightRefusal::NotDeparted),
        }
    }
}

impl Handle<Cancel> for Flight {
    fn handle(&self, _: Cancel, _: &CommandContext<'_>) -> Decided<Self, Cancel> {
        self.waiting()?;
        Ok(Decision::event(FlightEvent::Cancelled))
    }
}

#[cfg(test)]
mod tests {
    use dormouse::testing::given;

    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            destination: "HNL".into(),
            distance_miles: 4983,
            departs_clock: 900,
            arrives_clock: 1530,
            aircraft: Some("N384HA".into()),
        }
    }

    fn scheduled() -> FlightEvent {
        FlightEvent::Scheduled {
            destination: "HNL".into(),
            distance_miles: 4983,
            departs_clock: 900,
            arrives_clock: 1530,
            aircraft: Some("N384HA".into()),
        }
    }

    const DEPARTED: FlightEvent = FlightEvent::Departed { delay_min: 1301 };
    const ARRIVED: FlightEvent = FlightEvent::Arrived {
        clock: 1242,
        air_time_min: Some(640),
    };
    const ARRIVE: Arrive = Arrive {
        clock: 1242,
        air_time_min: Some(640),
    };
    const DEPART: Depart = Depart { delay_min: 1301 };

    /// Every stage a flight can be in, by what happened before.
    fn at_departed() -> Vec<FlightEvent> {
        vec![scheduled(), DEPARTED]
    }
    fn at_arrived() -> Vec<FlightEvent> {
        vec![scheduled(), DEPARTED, ARRIVED]
    }
    fn at_cancelled() -> Vec<FlightEvent> {
        vec![scheduled(), FlightEvent::Cancelled]
    }

    #[test]
    fn a_flight_is_scheduled_departs_and_arrives() {
        given::<Flight>([]).when(schedule()).then_events([scheduled()]);
        given::<Flight>([scheduled()])
            .when(DEPART)
            .then_events([DEPARTED]);
        given::<Flight>(at_departed())
            .when(ARRIVE)
            .then_events([ARRIVED])
            .then_reply(1301);
    }

    #[test]
    fn a_flight_is_cancelled_before_it_departs_only() {
        given::<Flight>([scheduled()])
            .when(Cancel {})
            .then_events([FlightEvent::Cancelled]);
        given::<Flight>([])
            .when(Cancel {})
            .then_refused(FlightRefusal::NotScheduled);
        given::<Flight>(at_departed())
            .when(Cancel {})
            .then_refused(FlightRefusal::AlreadyDeparted);
        given::<Flight>(at_arrived())
            .when(Cancel {})
            .then_refused(FlightRefusal::AlreadyArrived);
    }

    #[test]
    fn nothing_happens_twice() {
        given::<Flight>([scheduled()])
            .when(schedule())
            .then_refused(FlightRefusal::AlreadyScheduled);
        given::<Flight>(at_departed())
            .when(DEPART)
            .then_refused(FlightRefusal::AlreadyDeparted);
        given::<Flight>(at_arrived())
            .when(ARRIVE)
            .then_refused(FlightRefusal::AlreadyArrived);
        given::<Flight>(at_cancelled())
            .when(Cancel {})
            .then_refused(FlightRefusal::AlreadyCancelled);
    }

    #[test]
    fn nothing_arrives_that_did_not_depart() {
        given::<Flight>([])
            .when(ARRIVE)
            .then_refused(FlightRefusal::NotDeparted);
        given::<Flight>([scheduled()])
            .when(ARRIVE)
            .then_refused(FlightRefusal::NotDeparted);
        given::<Flight>(at_cancelled())
            .when(ARRIVE)
            .then_refused(FlightRefusal::AlreadyCancelled);
    }

    #[test]
    fn nothing_departs_that_is_not_scheduled() {
        given::<Flight>([])
            .when(DEPART)
            .then_refused(FlightRefusal::NotScheduled);
        given::<Flight>(at_cancelled())
            .when(DEPART)
            .then_refused(FlightRefusal::AlreadyCancelled);
        given::<Flight>(at_arrived())
            .when(DEPART)
            .then_refused(FlightRefusal::AlreadyArrived);
    }
}
