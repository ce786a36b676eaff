//! One client: sends the commands of its share in order, with some of them in flight at a time, and acknowledges the
//! answers to the parent.
//!
//! Only commands that stored events are remembered by their id; one that was refused is decided afresh when it is sent
//! again. So that a resent command meets the state that it met before, no command is sent to an aggregate before the
//! one before it, to the same aggregate, is acknowledged to the parent.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use dormouse::{Command, CommandError, Dormouse, Handle};

use crate::aircraft::{Aircraft, AircraftRefusal, Land, TakeOff};
use crate::data::Record;
use crate::flight::{Arrive, Cancel, Depart, Flight, FlightRefusal, Schedule};
use crate::steps::{Kind, Step, stable_hash};
use crate::wire::{Ack, Outcome, Pipe, Reason};

/// What all clients share.
pub(crate) struct Fleet {
    pub(crate) runtime: Dormouse,
    pub(crate) records: Vec<Record>,
    pub(crate) pipe: Pipe,
    pub(crate) in_flight_max: usize,
}

/// The parent is told of answers whenever the client has to wait, and at the latest after so many.
const ACKNOWLEDGED_TOGETHER_MAX: usize = 256;

type Answer = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

/// A command that was sent and not taken back yet.
struct Sent {
    aggregate: u64,
    at: Instant,
    answer: Progress,
}

enum Progress {
    Awaited(Answer),
    Here(Result<Outcome>),
}

pub(crate) struct Client {
    number: u16,
    fleet: Arc<Fleet>,
    /// In the order of the share.
    sent: VecDeque<Sent>,
    /// What the parent wasn't told yet: the words, and whose they are.
    words: Vec<u8>,
    answered: Vec<u64>,
}

impl Client {
    pub(crate) fn new(number: u16, fleet: Arc<Fleet>) -> Self {
        Self {
            number,
            fleet,
            sent: VecDeque::new(),
            words: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Sends these commands; returns when all are answered and acknowledged.
    pub(crate) async fn run(mut self, share: Vec<Step>) -> Result<()> {
        let fleet = Arc::clone(&self.fleet);
        for step in share {
            let record = &fleet.records[step.record as usize];
            let id = step.aggregate_id(record);
            let aggregate = stable_hash(id);
            while self.sent.len() >= fleet.in_flight_max
                || self.sent.iter().any(|sent| sent.aggregate == aggregate)
            {
                self.take_answer().await?;
            }
            if self.answered.len() >= ACKNOWLEDGED_TOGETHER_MAX || self.answered.contains(&aggregate) {
                self.acknowledge()?;
            }
            let at = Instant::now();
            let answer = begin(command(&fleet.runtime, id, step, record)?).await;
            self.sent.push_back(Sent {
                aggregate,
                at,
                answer,
            });
        }
        while !self.sent.is_empty() {
            self.take_answer().await?;
        }
        self.acknowledge()
    }

    /// Waits for the answer to the command that was sent first.
    async fn take_answer(&mut self) -> Result<()> {
        let Some(Sent {
            aggregate,
            at,
            answer,
        }) = self.sent.pop_front()
        else {
            return Ok(());
        };
        let answer = match answer {
            Progress::Awaited(answer) => begin(answer).await,
            here @ Progress::Here(_) => here,
        };
        let outcome = match answer {
            Progress::Here(outcome) => outcome?,
            Progress::Awaited(answer) => {
                self.acknowledge()?;
                answer.await?
            }
        };
        let latency_us = u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX);
        Ack {
            client: self.number,
            outcome,
            latency_us,
        }
        .write_to(&mut self.words);
        self.answered.push(aggregate);
        Ok(())
    }

    fn acknowledge(&mut self) -> Result<()> {
        if !self.words.is_empty() {
            self.fleet.pipe.acknowledge(&self.words)?;
            self.words.clear();
            self.answered.clear();
        }
        Ok(())
    }
}

/// Polls once: the first time that hands the command to its aggregate, later it finds out whether the answer is here.
async fn begin(mut answer: Answer) -> Progress {
    let polled = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
    match polled {
        Poll::Ready(outcome) => Progress::Here(outcome),
        Poll::Pending => Progress::Awaited(answer),
    }
}

/// The command of a step, on its way to its aggregate as soon as the future is polled.
fn command(runtime: &Dormouse, id: &str, step: Step, record: &Record) -> Result<Answer> {
    let flight = || record.flight_id.to_string();
    let never_left = || anyhow!("{} never left, yet is to {:?}", flight(), step.kind);
    Ok(match step.kind {
        Kind::Schedule => {
            let schedule = Schedule {
                destination: record.destination.to_string(),
                distance_miles: record.distance_miles,
                departs_clock: record.departs_clock,
                arrives_clock: record.arrives_clock,
                aircraft: record.tail.as_deref().map(str::to_owned),
            };
            send::<Flight, _>(runtime, id, step, record, schedule, flight_reason)?
        }
        Kind::Depart => {
            let delay_min = record.delay_min.ok_or_else(never_left)?;
            send::<Flight, _>(runtime, id, step, record, Depart { delay_min }, flight_reason)?
        }
        Kind::Arrive => {
            let clock = record.arrived_clock.ok_or_else(never_left)?;
            let arrive = Arrive {
                clock,
                air_time_min: record.air_time_min,
            };
            send::<Flight, _>(runtime, id, step, record, arrive, flight_reason)?
        }
        Kind::Cancel => send::<Flight, _>(runtime, id, step, record, Cancel {}, flight_reason)?,
        Kind::TakeOff => send::<Aircraft, _>(
            runtime,
            id,
            step,
            record,
            TakeOff { flight: flight() },
            aircraft_reason,
        )?,
        Kind::Land => send::<Aircraft, _>(
            runtime,
            id,
            step,
            record,
            Land { flight: flight() },
            aircraft_reason,
        )?,
    })
}

fn send<A, C>(
    runtime: &Dormouse,
    id: &str,
    step: Step,
    record: &Record,
    command: C,
    reason: fn(&A::Error) -> Reason,
) -> Result<Answer>
where
    A: Handle<C>,
    C: Command,
{
    let entity = runtime
        .entity::<A>(id)
        .with_context(|| format!("{} {id}", A::TYPE))?;
    let command_id = step.command_id(record);
    Ok(Box::pin(async move {
        match entity
            .execute(command)
            .id(command_id)
            .wait_for_room()
            .receipt()
            .await
        {
            Ok(receipt) if receipt.replayed => Ok(Outcome::Replayed),
            Ok(_) => Ok(Outcome::Done),
            Err(CommandError::Refused(refusal)) => Ok(Outcome::Refused(reason(&refusal))),
            Err(error) => Err(anyhow!("{} {}, {:?}: {error}", A::TYPE, entity.id(), step.kind)),
        }
    }))
}

fn flight_reason(refusal: &FlightRefusal) -> Reason {
    match refusal {
        FlightRefusal::NotScheduled => Reason::NotScheduled,
        FlightRefusal::AlreadyScheduled => Reason::AlreadyScheduled,
        FlightRefusal::NotDeparted => Reason::NotDeparted,
        FlightRefusal::AlreadyDeparted => Reason::AlreadyDeparted,
        FlightRefusal::AlreadyArrived => Reason::AlreadyArrived,
        FlightRefusal::AlreadyCancelled => Reason::AlreadyCancelled,
    }
}

fn aircraft_reason(refusal: &AircraftRefusal) -> Reason {
    match refusal {
        AircraftRefusal::StillInTheAir { .. } => Reason::StillInTheAir,
        AircraftRefusal::OnTheGround => Reason::OnTheGround,
    }
}
