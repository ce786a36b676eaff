//! The kill sweep (P1, P3, P4, P6, P7): a child under load is killed, at a random instant or at an exact system call;
//! then everything it was told, and told, must be true of what is on the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use dormouse::{Store, StoreError};

use crate::derived::Derived;
use crate::judge::{hold_sound, judge};
use crate::life::{Life, child, child_under_strace, has_strace};
use crate::model::{Heard, Model};
use crate::place;
use crate::random::Random;
use crate::tally::Tally;
use crate::violation::Violation;

/// The sweep's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Kill {
    /// How often the child is killed.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) points: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this point; with the seed of a failure it runs that one again, on a new store.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where the store is made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// How a child meets its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Some time after it is ready.
    After(Duration),
    /// As it begins the nth call of this name, counted in each of its threads.
    Call(&'static str, u64),
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
/// A new store after so many: what is judged and built anew grows with the log, and low call numbers are its making.
const POINTS_A_STORE: u32 = 100;
/// A child that does not come to its call is killed all the same.
const LIFE_MAX: Duration = Duration::from_secs(2);

impl Death {
    fn of(point: u32, random: &mut Random, has_strace: bool) -> Self {
        if point.is_multiple_of(2) || !has_strace {
            return Self::After(Duration::from_micros(random.below(250_000)));
        }
        let (call, least, most) = CALLS[random.below(CALLS.len() as u64) as usize];
        // low numbers, where files are made and recovery is at work, as often as high ones
        let span = most - least + 1;
        let span = if random.below(2) == 0 {
            span.div_ceil(10)
        } else {
            span
        };
        Self::Call(call, least + random.below(span))
    }

    fn name(self) -> &'static str {
        match self {
            Self::After(_) => "a random instant",
            Self::Call(call, _) => call,
        }
    }
}

pub(crate) async fn run(kill: &Kill) -> Result<Tally> {
    let place = place::make(kill.directory.as_deref(), "kill")?;
    let store = place.join("store");
    let has_strace = has_strace();
    let mut tally = Tally::new("kill", kill.points);
    if !has_strace {
        tally.skip("strace is not installed: all kills at random instants");
    }
    let (mut model, mut events) = (Model::default(), 0);
    for point in kill.first..kill.first + kill.points {
        if point.is_multiple_of(POINTS_A_STORE) && store.exists() {
            events += model.events();
            model = Model::default();
            std::fs::remove_dir_all(&store).context("remove a store of points without violation")?;
        }
        let mut random = Random::new(kill.seed, u64::from(point));
        let death = Death::of(point, &mut random, has_strace);
        let derived = Derived::of(&mut random);
        let (heard, reached, unsound) = live(&store, random.next() >> 40, death, derived, &mut tally)?;
        derived.before_opening(&store, &mut tally)?;
        let mut violations = judge(&store, &mut model, &heard, &mut tally).await;
        violations.extend(unsound);
        tally.tried(death.name(), if reached { "" } else { "not reached" });
        if !violations.is_empty() {
            let rerun = format!(
                "cargo run --release -p torture -- kill --seed {} --first {point} --points 1",
                kill.seed
            );
            tally.failed(
                &violations,
                &format!("point {point}, {death:?}, derived/ {derived:?}"),
                &store,
                &rerun,
            );
            return Ok(tally);
        }
    }
    tally.count("events in the logs", events + model.events());
    place::remove(&place)?;
    Ok(tally)
}

/// One child's life: what it told, whether it came to its call, and what went wrong while it lived.
fn live(
    store: &Path,
    seed: u64,
    death: Death,
    derived: Derived,
    tally: &mut Tally,
) -> Result<(Heard, bool, Vec<Violation>)> {
    let command = match death {
        Death::After(_) => child(store, seed)?,
        Death::Call(call, nth) => {
            child_under_strace(store, seed, call, &format!("{call}:signal=SIGKILL:when={nth}"))?
        }
    };
    let mut life = Life::start(command)?;
    life.wait_until_ready()?;
    // strace's child may be dead already
    let stranger = match death {
        Death::After(_) => open_beside(store),
        Death::Call(..) => None,
    };
    derived.while_running(&mut life, store, tally)?;
    let ended = match death {
        Death::After(time) => life.ends_within(time)?,
        Death::Call(..) => life.ends_within(LIFE_MAX)?,
    };
    let by_itself = life.ended_by_itself()?;
    if !ended {
        life.kill()?;
    }
    let reached = ended || matches!(death, Death::After(_));
    let heard = life.heard()?;
    let unsound = hold_sound(&heard, by_itself, derived)
        .into_iter()
        .chain(stranger)
        .collect();
    Ok((heard, reached, unsound))
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
