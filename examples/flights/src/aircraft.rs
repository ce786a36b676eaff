//! One aircraft, by its tail number: on the ground or in the air.
//!
//! The records hold departures from New York only, and some arrivals are missing. If a landing had to name the flight
//! that is on, an aircraft whose arrival is missing would stay in the air for ever, and 34,420 of its later take-offs
//! would be refused. So a landing ends whatever flight is on: after a missing arrival one take-off is refused, and the
//! landing that follows it brings the aircraft back.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// An aircraft.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aircraft {
    /// The flight it is on, if it is in the air.
    flying: Option<String>,
    landings: u32,
}

/// What an aircraft did.
#[derive(Debug, Clone, PartialEq, Event)]
pub(crate) enum AircraftEvent {
    /// Took off for this flight.
    TookOff { flight: String },
    /// Landed at the end of this flight: the one whose arrival was recorded, not always the one it took off for.
    Landed { flight: String },
}

/// Why an aircraft refuses a command.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum AircraftRefusal {
    #[error("the aircraft is still in the air, on {flight}")]
    StillInTheAir { flight: String },
    #[error("the aircraft is on the ground")]
    OnTheGround,
}

/// The aircraft takes off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct TakeOff {
    pub(crate) flight: String,
}

/// The aircraft lands. The reply is how often it has landed so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(reply = u32)]
pub(crate) struct Land {
    pub(crate) flight: String,
}

impl Aggregate for Aircraft {
    const TYPE: &'static str = "aircraft";
    type Event = AircraftEvent;
    type Error = AircraftRefusal;

    fn apply(&mut self, event: &AircraftEvent) {
        match event {
            AircraftEvent::TookOff { flight } => self.flying = Some(flight.clone()),
            AircraftEvent::Landed { .. } => {
                self.flying = None;
                self.landings += 1;
            }
        }
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(self.flying.as_ref().map_or(0, String::capacity))
    }
}

impl Handle<TakeOff> for Aircraft {
    fn handle(&self, command: TakeOff, _: &CommandContext<'_>) -> Decided<Self, TakeOff> {
        match &self.flying {
            Some(flight) => Err(AircraftRefusal::StillInTheAir {
                flight: flight.clone(),
            }),
            None => Ok(Decision::event(AircraftEvent::TookOff {
                flight: command.flight,
            })),
        }
    }
}

impl Handle<Land> for Aircraft {
    fn handle(&self, command: Land, _: &CommandContext<'_>) -> Decided<Self, Land> {
        if self.flying.is_none() {
            return Err(AircraftRefusal::OnTheGround);
        }
        Ok(Decision::event(AircraftEvent::Landed {
            flight: command.flight,
        })
        .reply(|after| after.landings))
    }
}

#[cfg(test)]
mod tests {
    use dormouse::testing::given;

    use super::*;

    const MORNING: &str = "2013-01-08/DL/120/JFK";
    const NOON: &str = "2013-01-08/DL/2126/JFK";

    fn took_off(flight: &str) -> AircraftEvent {
        AircraftEvent::TookOff {
            flight: flight.into(),
        }
    }
    fn landed(flight: &str) -> AircraftEvent {
        AircraftEvent::Landed {
            flight: flight.into(),
        }
    }
    fn take_off(flight: &str) -> TakeOff {
        TakeOff {
            flight: flight.into(),
        }
    }
    fn land(flight: &str) -> Land {
        Land {
            flight: flight.into(),
        }
    }

    #[test]
    fn it_takes_off_and_lands() {
        given::<Aircraft>([])
            .when(take_off(MORNING))
            .then_events([took_off(MORNING)]);
        given::<Aircraft>([took_off(MORNING), landed(MORNING), took_off(NOON)])
            .when(land(NOON))
            .then_events([landed(NOON)])
            .then_reply(2);
    }

    #[test]
    fn it_does_not_take_off_in_the_air() {
        given::<Aircraft>([took_off(MORNING)])
            .when(take_off(NOON))
            .then_refused(AircraftRefusal::StillInTheAir {
                flight: MORNING.into(),
            });
    }

    #[test]
    fn it_does_not_land_on_the_ground() {
        given::<Aircraft>([])
            .when(land(MORNING))
            .then_refused(AircraftRefusal::OnTheGround);
        given::<Aircraft>([took_off(MORNING), landed(MORNING)])
            .when(land(NOON))
            .then_refused(AircraftRefusal::OnTheGround);
    }

    #[test]
    fn a_landing_ends_whatever_flight_is_on() {
        given::<Aircraft>([took_off(MORNING)])
            .when(land(NOON))
            .then_events([landed(NOON)])
            .then_reply(1);
        given::<Aircraft>([took_off(MORNING), landed(NOON)])
            .when(take_off(MORNING))
            .then_events([took_off(MORNING)]);
    }
}
