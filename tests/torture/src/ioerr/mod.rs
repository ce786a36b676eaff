//! Disks that fail (P3, P11): a child under load meets errors of its disk. What it answers then, what it says of its
//! health, whether it goes on once the fault is gone, and what is in the store are held to what is promised.

mod course;
mod fault;
mod injection;
pub(crate) mod place;
mod process;
mod script;
mod strike;
pub(crate) mod subject;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use self::fault::{Case, Fault, Means};
use self::place::{Kind, Place, can_mount};
use self::script::Script;

use crate::random::Random;
use crate::strace;
use crate::tally::Tally;
use crate::violation::Violation;

/// The harness's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct IoErrors {
    /// How many faults are tried.
    #[arg(long, default_value_t = 500)]
    pub(crate) cases: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this case; with the seed of a failure it runs that one again, on a new store.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// How long a stalled sync takes.
    #[arg(long, default_value_t = 30_000)]
    pub(crate) stall_ms: u64,
    /// Where the stores are made, empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

impl IoErrors {
    pub(crate) fn new(cases: u32, seed: u64) -> Self {
        Self {
            cases,
            seed,
            first: 0,
            stall_ms: 30_000,
            directory: None,
        }
    }
}

pub(crate) async fn run(settings: &IoErrors) -> Result<Tally> {
    let root = match &settings.directory {
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            let is_empty = std::fs::read_dir(directory)?.next().is_none();
            ensure!(
                is_empty,
                "{} is not empty: stores of an earlier run?",
                directory.display()
            );
            directory.canonicalize()?
        }
        None => tempfile::Builder::new().prefix("torture-ioerr").tempdir()?.keep(),
    };
    let mut tally = Tally::new("ioerr", settings.cases);
    let means = Means {
        strace: strace::is_installed(),
        mounts: can_mount(&root),
        stall: Duration::from_millis(settings.stall_ms),
    };
    if !means.strace {
        tally.note("strace is not installed: no call fails by itself");
    }
    if !means.mounts {
        tally.note("no ext4 in a file can be mounted (root and xfs_io are needed): no full, read-only or failed disk");
    }
    let mut places = Places {
        root: root.clone(),
        standing: HashMap::new(),
        made: 0,
    };
    for number in settings.first..settings.first + settings.cases {
        let mut random = Random::new(settings.seed, u64::from(number));
        let case = Case::of(number, &mut random, means);
        let (mut place, stays) = places.take(&case.fault)?;
        let seed = random.next() >> 40;
        let played = Script::new(&case, seed, &root.join("notes"))
            .play(&mut place, &mut tally)
            .await;
        // what the harness itself could not do ends it, like a violation: it would hide what is looked for
        let (but, violations) = played.unwrap_or_else(|error| {
            (
                "failed",
                vec![Violation::new("-", format!("the harness: {error:#}"))],
            )
        });
        tally.tried(&case.fault.name(), but);
        if !violations.is_empty() {
            let kept = place.keep(&root.join("kept"));
            let rerun = format!(
                "cargo run --release -p torture -- ioerr --seed {} --first {number} --cases 1 --stall-ms {}",
                settings.seed, settings.stall_ms
            );
            tally.failed(&violations, &format!("case {number}, {case:?}"), &kept, &rerun);
            return Ok(tally);
        }
        if stays {
            places.give_back(place);
        } else {
            place.remove()?;
        }
    }
    places.remove()?;
    Ok(tally)
}

/// Where stores stand: each kind of disk has one that grows from case to case.
struct Places {
    root: PathBuf,
    standing: HashMap<Kind, Place>,
    made: u32,
}

impl Places {
    /// The place for a case, and whether it can be used again.
    fn take(&mut self, fault: &Fault) -> Result<(Place, bool)> {
        let kind = match fault {
            Fault::Full { kind, .. } => *kind,
            fault if fault.fails_filesystem() => Kind::Ext4,
            Fault::Opening { is_new: true, .. } | Fault::Deleted(_) => {
                return Ok((self.make(Kind::Directory)?, false));
            }
            _ => Kind::Directory,
        };
        match self.standing.remove(&kind) {
            Some(place) if place.is_used_up()? => place.remove()?,
            Some(place) => return Ok((place, true)),
            None => {}
        }
        Ok((self.make(kind)?, true))
    }

    fn make(&mut self, kind: Kind) -> Result<Place> {
        self.made += 1;
        Place::new(
            kind,
            self.root.join(format!("{}-{kind:?}", self.made).to_lowercase()),
        )
    }

    fn give_back(&mut self, mut place: Place) {
        place.lives += 1;
        self.standing.insert(place.kind, place);
    }

    fn remove(self) -> Result<()> {
        for place in self.standing.into_values() {
            place.remove()?;
        }
        std::fs::remove_dir_all(&self.root)?;
        Ok(())
    }
}
