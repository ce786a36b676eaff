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

use anyhow::Result;

use self::fault::{Case, Fault, Means};
use self::place::{Kind, Place, can_mount};
use self::script::{AS_FOUND, Script};
use crate::place as places;
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
    /// Begins with this case, on new stores. A case fails on a store that earlier ones have used: the line that a failure
    /// prints begins where that store was made.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// How long a stalled sync takes.
    #[arg(long, default_value_t = 30_000)]
    pub(crate) stall_ms: u64,
    /// Where the stores are made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) async fn run(settings: &IoErrors) -> Result<Tally> {
    let root = places::make(settings.directory.as_deref(), "ioerr")?;
    let as_found = root.join(AS_FOUND);
    let mut tally = Tally::new("ioerr", settings.cases);
    let means = Means {
        strace: strace::can_join(),
        mounts: can_mount(&root),
        stall: Duration::from_millis(settings.stall_ms),
    };
    if !means.strace {
        tally.skip("strace is not installed, or may not join a process (root may): no call fails by itself");
    }
    if !means.mounts {
        tally.skip("no ext4 in a file can be mounted (root and xfs_io are needed): no full, read-only or failed disk");
    }
    let mut stores = Places {
        root: root.clone(),
        standing: HashMap::new(),
        made: 0,
    };
    for number in settings.first..settings.first + settings.cases {
        let mut random = Random::new(settings.seed, u64::from(number));
        let case = Case::of(number, &mut random, means);
        let (mut place, stays) = stores.take(&case.fault, number)?;
        let seed = random.next() >> 40;
        let played = Script::new(&case, seed, &root).play(&mut place, &mut tally).await;
        // what the harness itself could not do ends it, like a violation: it would hide what is looked for
        let (but, violations) = played.unwrap_or_else(|error| {
            (
                "failed",
                vec![Violation::new("-", format!("the harness: {error:#}"))],
            )
        });
        tally.tried(&case.fault.name(), but);
        if !violations.is_empty() {
            let kept = if as_found.exists() {
                as_found
            } else {
                place.keep(&root.join("kept"))
            };
            let rerun = format!(
                "cargo run --release -p torture -- ioerr --seed {} --first {} --cases {} --stall-ms {}",
                settings.seed,
                place.first,
                number - place.first + 1,
                settings.stall_ms
            );
            tally.failed(&violations, &format!("case {number}, {case:?}"), &kept, &rerun);
            return Ok(tally);
        }
        if as_found.exists() {
            std::fs::remove_dir_all(&as_found)?;
        }
        if stays {
            stores.give_back(place);
        } else {
            place.remove()?;
        }
    }
    stores.remove()?;
    Ok(tally)
}

/// Where stores stand: each kind of disk has one that grows from case to case.
struct Places {
    root: PathBuf,
    standing: HashMap<Kind, Place>,
    made: u32,
}

impl Places {
    /// The place for the case with this number, and whether it can be used again.
    fn take(&mut self, fault: &Fault, number: u32) -> Result<(Place, bool)> {
        let kind = match fault {
            Fault::Full { kind, .. } => *kind,
            fault if fault.fails_filesystem() => Kind::Ext4,
            Fault::Opening { is_new: true, .. } | Fault::Deleted(_) => {
                return Ok((self.make(Kind::Directory, number)?, false));
            }
            _ => Kind::Directory,
        };
        match self.standing.remove(&kind) {
            Some(place) if place.is_used_up()? => place.remove()?,
            Some(place) => return Ok((place, true)),
            None => {}
        }
        Ok((self.make(kind, number)?, true))
    }

    fn make(&mut self, kind: Kind, number: u32) -> Result<Place> {
        self.made += 1;
        let name = format!("{}-{kind:?}", self.made).to_lowercase();
        let mut place = Place::new(kind, self.root.join(name))?;
        place.first = number;
        Ok(place)
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
