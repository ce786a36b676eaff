//! The kill sweep (P1, P3, P4, P6, P7): a child under load is killed, at a random instant or at an exact system call;
//! then everything it was told, and told, must be true of what is on the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use dormouse::{Store, StoreError};

use crate::derived::Derived;
use crate::heard::Heard;
use crate::judge::{hold_sound, judge};
use crate::life::{Life, child, child_under_strace};
use crate::model::Model;
use crate::place;
use crate::random::Random;
use crate::report::Report;
use crate::strace::{self, Nth};
use crate::tally::{NOT_REACHED, Tally};
use crate::violation::Violation;
use crate::{copy, sweep};

/// The sweep's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Kill {
    /// How often the child is killed.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) points: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this point, on a new store.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where the store is made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// How a child meets its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Some time after it was started: it opens the store, or makes it.
    Opening(Duration),
    /// Some time after it is ready.
    After(Duration),
    /// A second after it is ready, once all its clients were answered.
    Late,
    /// As it begins the nth call of this name, counted in each of its threads.
    Call(Nth),
}

/// System calls at which a child is killed: from which on, since the first are its loader's, and up to which: so many
/// one thread makes in a short life.
const CALLS: [(&str, u64, u64); 8] = [
    ("fdatasync", 1, 400),
    ("write", 1, 3_000),
    ("fsync", 1, 12),
    ("rename", 1, 6),
    ("openat", 16, 120),
    ("link", 1, 5),
    ("unlink", 1, 8),
    ("ftruncate", 1, 8),
];
/// Of so many random instants one is in an opening.
const OPENING_ONE_IN: u64 = 4;
/// An opening takes about so long; a child that is ready sooner is killed under load.
const OPENING_MAX: Duration = Duration::from_millis(120);
/// Of so many random instants one comes late: a client that is not answered can't be told from a slow one before.
const LATE_ONE_IN: u64 = 20;
const LATE: Duration = Duration::from_secs(1);
const LOAD_MAX: Duration = Duration::from_millis(250);
/// A new store after so many: what is judged and built anew grows with the log, and low call numbers are its making.
const POINTS_A_STORE: u32 = 100;
/// A child that does not come to its call is killed all the same.
const LIFE_MAX: Duration = Duration::from_secs(2);

impl Death {
    fn of(point: u32, random: &mut Random, has_strace: bool) -> Self {
        if point.is_multiple_of(2) || !has_strace {
            if random.below(LATE_ONE_IN) == 0 {
                return Self::Late;
            }
            let is_opening = random.below(OPENING_ONE_IN) == 0;
            let most = if is_opening { OPENING_MAX } else { LOAD_MAX };
            let time = Duration::from_micros(random.below(most.as_micros() as u64));
            return if is_opening {
                Self::Opening(time)
            } else {
                Self::After(time)
            };
        }
        let (call, least, most) = CALLS[random.below(CALLS.len() as u64) as usize];
        // low numbers, where files are made and recovery is at work, as often as high ones
        let span = most - least + 1;
        let span = if random.below(2) == 0 {
            span.div_ceil(10)
        } else {
            span
        };
        Self::Call(Nth(call, least + random.below(span)))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Opening(_) => "a random instant of an opening",
            Self::After(_) => "a random instant under load",
            Self::Late => "after a second, once all were answered",
            Self::Call(Nth(call, _)) => call,
        }
    }
}

pub(crate) async fn run(kill: &Kill) -> Result<Tally> {
    let place = place::make(kill.directory.as_deref(), "kill")?;
    let has_strace = strace::can_follow();
    let mut tally = Tally::new("kill", kill.points);
    if !has_strace {
        tally.skip("strace is not installed, or may not trace: all kills at random instants");
    }
    let mut tortured = Tortured::new(&place);
    for point in kill.first..kill.first + kill.points {
        if point.is_multiple_of(POINTS_A_STORE) && tortured.store.exists() {
            tally.count("events in the logs", tortured.model.events());
            std::fs::remove_dir_all(&tortured.store).context("remove a store of points without violation")?;
            tortured = Tortured::new(&place);
        }
        let mut random = Random::new(kill.seed, u64::from(point));
        let death = Death::of(point, &mut random, has_strace);
        let derived = Derived::of(&mut random);
        let seed = random.next() >> 40;
        let (violations, heard) = tortured.kill(death, derived, seed, &mut tally).await?;
        if !violations.is_empty() {
            // what it takes may have begun with the store
            let first = kill.first.max(point - point % POINTS_A_STORE);
            let rerun = rerun(kill.seed, first, point - first + 1);
            let point = format!("point {point}, {death:?}, derived/ {derived:?}");
            let report = Report::new(&violations, &point, &tortured.as_left, &rerun)
                .struck(tortured.struck(death))
                .log(tortured.model.compare(&heard));
            tally.report(report);
            return Ok(tally);
        }
    }
    tally.count("events in the logs", tortured.model.events());
    let violations = sweep::hold(&tally);
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = rerun(kill.seed, kill.first, kill.points);
        tally.failed(&violations, "the whole sweep", &place, &rerun);
    }
    Ok(tally)
}

fn rerun(seed: u64, first: u32, points: u32) -> String {
    format!("cargo run --release -p torture -- kill --seed {seed} --first {first} --points {points}")
}

/// A store whose child is killed again and again.
#[derive(Debug)]
struct Tortured {
    store: PathBuf,
    /// A copy of it as the last child left it, before anybody opened it.
    as_left: PathBuf,
    /// What `strace` noted of the last child that it killed.
    notes: PathBuf,
    model: Model,
}

impl Tortured {
    fn new(place: &Path) -> Self {
        Self {
            store: place.join("store"),
            as_left: place.join("as-left"),
            notes: place.join("strace"),
            model: Model::default(),
        }
    }

    /// One child's life and death, and what is broken by it.
    async fn kill(
        &mut self,
        death: Death,
        derived: Derived,
        seed: u64,
        tally: &mut Tally,
    ) -> Result<(Vec<Violation>, Heard)> {
        let lived = self.live(seed, death, derived, tally)?;
        tally.tried(death.name(), if lived.reached { "" } else { NOT_REACHED });
        sweep::count(&lived.heard, tally);
        derived.before_opening(&self.store, tally)?;
        copy::as_left(&self.store, &self.as_left)?;
        let mut violations = judge(&self.store, &mut self.model, &lived.heard, tally).await;
        violations.extend(lived.unsound);
        Ok((violations, lived.heard))
    }

    fn live(&self, seed: u64, death: Death, derived: Derived, tally: &mut Tally) -> Result<Lived> {
        let store = &self.store;
        let command = match death {
            Death::Call(at) => child_under_strace(store, seed, at, &self.notes)?,
            _ => child(store, seed)?,
        };
        let mut life = Life::start(command)?;
        derived.while_opening(&mut life, store, tally)?;
        let mut unsound = Vec::new();
        let reached = match death {
            Death::Opening(time) => {
                life.ends_within(time.saturating_sub(life.age()))?;
                !life.is_ready()
            }
            Death::After(time) => {
                unsound.extend(life.wait_until_ready()?);
                if life.is_ready() {
                    unsound.extend(open_beside(store));
                }
                derived.while_running(&mut life, store, tally)?;
                life.ends_within(time)?;
                life.is_ready()
            }
            Death::Late => {
                unsound.extend(life.wait_until_ready()?);
                derived.while_running(&mut life, store, tally)?;
                life.ends_within(LATE)?;
                unsound.extend(life.wait_for_answers()?);
                life.is_ready()
            }
            Death::Call(_) => {
                unsound.extend(life.wait_until_ready()?);
                derived.while_running(&mut life, store, tally)?;
                let ended = life.ends_within(LIFE_MAX)?;
                if !ended {
                    unsound.extend(life.wait_for_answers()?);
                }
                ended
            }
        };
        let by_itself = life.ended_by_itself()?;
        let is_dead = life.ends_within(Duration::ZERO)?;
        derived.while_dying(is_dead, store, tally, || life.kill())?;
        let heard = life.heard()?;
        unsound.extend(hold_sound(&heard, by_itself, derived));
        Ok(Lived {
            heard,
            reached,
            unsound,
        })
    }

    fn struck(&self, death: Death) -> Option<strace::Struck> {
        match death {
            Death::Call(at) => at.struck(&self.notes),
            _ => None,
        }
    }
}

/// One child's life.
#[derive(Debug)]
struct Lived {
    heard: Heard,
    /// It came to the end that was meant for it.
    reached: bool,
    /// What went wrong while it lived.
    unsound: Vec<Violation>,
}

/// While a child has the store nobody else opens it (P7).
fn open_beside(store: &Path) -> Option<Violation> {
    match Store::open(store) {
        Err(StoreError::Locked { .. }) => None,
        other => {
            let what = format!("opened beside a child that has it open: {other:?}");
            Some(Violation::new("P7", what))
        }
    }
}
