//! Copies of a running store (P1, P5, P11): beside it and on other file systems, which are too small, fill up, fail or become
//! read-only while the copy is made. A copy that was made holds all that was acknowledged before; where none was made, the
//! error says why, nothing is left that could be taken for one, and the store goes on.

mod case;
mod load;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dormouse::store::{Checkpoint, CheckpointProgress, CheckpointStep};
use dormouse::{Dormouse, Health, Store, StoreError, StoreOptions};
use dormouse_persistence::inspect::verify;

use self::case::{Case, Target, Trouble};
use self::load::Load;
use crate::counter::Counter;
use crate::ioerr::place::{Kind, Place, can_mount};
use crate::place;
use crate::random::Random;
use crate::tally::Tally;
use crate::violation::Violation;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Copies {
    /// Copies that are asked for, each of a new store.
    #[arg(long, default_value_t = 110)]
    pub(crate) cases: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this case.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where the file systems are made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// The copy's name.
const COPY: &str = "copy";
/// What it may be called until it is done, on another file system (docs/operations.md).
const UNFINISHED: &str = "copy.unfinished";
/// Events that are acknowledged before the copy is asked for: a few megabytes, several runs.
const EVENTS_BEFORE: u64 = 12_000;
/// Events that are acknowledged after it: the store goes on.
const EVENTS_AFTER: u64 = 200;
const GENERATION_BYTES: usize = 512 << 10;
/// Numbers of the commands that are sent once a store was reopened.
const SECOND_LOAD: u64 = 1 << 40;

pub(crate) async fn run(copies: &Copies) -> Result<Tally> {
    let root = place::make(copies.directory.as_deref(), "copies")?;
    let mut tally = Tally::new("copies", copies.cases);
    if !can_mount(&root) {
        tally.skip("no ext4 in a file can be mounted (root and xfs_io are needed): nothing was tried");
        place::remove(&root)?;
        return Ok(tally);
    }
    for number in copies.first..copies.first + copies.cases {
        let case = Case::of(number, &mut Random::new(copies.seed, u64::from(number)));
        let home = Place::new(Kind::Ext4, root.join(format!("{number}-home")))?;
        let tried = try_one(&case, &home, &root.join(format!("{number}-away"))).await;
        let (but, violations) = tried.unwrap_or_else(|error| {
            let what = format!("the harness: {error:#}");
            ("failed", vec![Violation::new("-", what)])
        });
        tally.tried(&case.name(), but);
        if !violations.is_empty() {
            let kept = home.keep(&root.join("kept"));
            let rerun = format!(
                "cargo run --release -p torture -- copies --seed {} --first {number} --cases 1",
                copies.seed
            );
            tally.failed(&violations, &format!("case {number}, {case:?}"), &kept, &rerun);
            return Ok(tally);
        }
        home.remove()?;
    }
    place::remove(&root)?;
    Ok(tally)
}

/// One copy of a store on `home`; what kept it from what it was to be, if anything, and what is broken.
async fn try_one(case: &Case, home: &Place, away: &Path) -> Result<(&'static str, Vec<Violation>)> {
    let away = match case.target {
        Target::Beside => None,
        Target::Elsewhere(kind) => Some(Place::new(kind, away.to_path_buf())?),
    };
    let place = away.as_ref().unwrap_or(home);
    let target = place.store.with_file_name(COPY);
    let runtime = open(&home.store).await?;
    let load = Load::begin(&runtime, 0);
    let mut broken = Vec::new();
    if !load.goes_on(EVENTS_BEFORE).await {
        broken.push(Violation::new("P11", "commands fail on a sound disk"));
    }
    if case.trouble == Trouble::TooSmall {
        place.fill(case.left)?;
    }
    let acknowledged = load.acknowledged();
    let (made, struck) = copy(case, runtime.store(), place, &target)?;
    let goes_on = load.goes_on(EVENTS_AFTER).await;
    let mut events = load.end().await?;
    if !goes_on {
        // only where it has no room itself
        let own_disk_is_full = (case.target, case.trouble) == (Target::Beside, Trouble::FillsUp);
        if !own_disk_is_full || runtime.health() == Health::Healthy {
            let what = format!("the store does not go on: {:?}", runtime.health());
            broken.push(Violation::new("P11", what));
        }
    }
    broken.extend(hold_made(case, &made, struck, &target));
    if home.store.join("unfinished-checkpoint").exists() {
        broken.push(Violation::new("P5", "the stage of the copy is left"));
    }
    if case.target == Target::Beside {
        place.make_room();
    }
    if !goes_on && broken.is_empty() {
        runtime.reopen().await?;
        let load = Load::begin(&runtime, SECOND_LOAD);
        if !load.goes_on(EVENTS_AFTER).await {
            broken.push(Violation::new(
                "P11",
                "the store does not go on after it was reopened",
            ));
        }
        events += load.end().await?;
    }
    runtime.shutdown().await?;
    broken.extend(hold_whole("the store", &home.store, events)?);
    if matches!(case.trouble, Trouble::Fails | Trouble::ReadOnly) {
        place.remount()?;
    }
    broken.extend(hold_names(&made, &target, acknowledged)?);
    if let Some(away) = away {
        away.remove()?;
    }
    let reached = struck || matches!(case.trouble, Trouble::None | Trouble::TooSmall);
    Ok((if reached { "" } else { "over before it came" }, broken))
}

async fn open(path: &Path) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let builder = Dormouse::builder(Store::open_with(path, options)?).aggregate::<Counter>();
    Ok(builder.snapshot_every(20).start().await?)
}

type Made = Result<Checkpoint, StoreError>;

/// Asks for the copy, and brings the trouble when it is time; whether it was. Blocking: the load has other threads.
fn copy(case: &Case, store: &Store, place: &Place, target: &Path) -> Result<(Made, bool)> {
    let (mut told, mut struck) = (0, Ok(false));
    let mut progress = |progress: CheckpointProgress| {
        let has_begun = case.target == Target::Beside || progress.step == CheckpointStep::Copying;
        told += u64::from(has_begun);
        if has_begun && told == case.at {
            struck = strike(case, place);
        }
        ControlFlow::Continue(())
    };
    let made = tokio::task::block_in_place(|| store.checkpoint(target, &mut progress));
    Ok((made, struck.context("bring the trouble")?))
}

fn strike(case: &Case, place: &Place) -> Result<bool> {
    match case.trouble {
        Trouble::None | Trouble::TooSmall => return Ok(false),
        Trouble::FillsUp => place.fill(case.left)?,
        Trouble::Fails => place.shut_down()?,
        Trouble::ReadOnly => place.make_read_only()?,
    }
    Ok(true)
}

/// Whether it was made where it could be, and else the error says why.
fn hold_made(case: &Case, made: &Made, struck: bool, target: &Path) -> Option<Violation> {
    let what = match (made, case.trouble) {
        // what was copied by then was enough
        (Ok(_), Trouble::FillsUp | Trouble::Fails | Trouble::ReadOnly) => return None,
        (Ok(_), Trouble::TooSmall) => "it was made where there is no room".to_owned(),
        (Ok(copy), Trouble::None) if copy.is_linked == (case.target == Target::Beside) => return None,
        (Ok(copy), Trouble::None) => format!("it is not linked as it should be: {copy:?}"),
        (Err(error), Trouble::TooSmall) => return hold_no_room(error, target),
        (Err(error), Trouble::FillsUp) if struck && case.target != Target::Beside => {
            return hold_no_room(error, target);
        }
        (Err(error), Trouble::Fails | Trouble::ReadOnly | Trouble::FillsUp) if struck => {
            let says_where = error.to_string().contains(&*target.to_string_lossy());
            let says_no_room = matches!(error, StoreError::NoRoom { .. } | StoreError::Stopped { .. });
            if says_where || says_no_room {
                return None;
            }
            format!("the error does not say where: {error}")
        }
        (Err(error), _) => format!("it was not made: {error}"),
    };
    Some(Violation::new("P5", what))
}

/// A full disk is told by its place and in bytes.
fn hold_no_room(error: &StoreError, target: &Path) -> Option<Violation> {
    if let StoreError::NoRoom {
        path,
        bytes,
        free_bytes,
    } = error
        && target.parent().is_some_and(|parent| path.starts_with(parent))
        && bytes > free_bytes
    {
        return None;
    }
    Some(Violation::new("P5", format!("no room, and it says: {error}")))
}

/// What has the copy's name is a whole one; what is left under another does not open.
fn hold_names(made: &Made, target: &Path, acknowledged: u64) -> Result<Vec<Violation>> {
    let mut broken = Vec::new();
    match (made.is_ok(), target.exists()) {
        (true, true) => broken.extend(hold_whole("the copy", target, acknowledged)?),
        (false, false) => {}
        (made, there) => {
            let what = format!("made: {made}, there: {there}");
            broken.push(Violation::new("P5", what));
        }
    }
    let unfinished = target.with_file_name(UNFINISHED);
    if unfinished.exists() && Store::open(&unfinished).is_ok() {
        broken.push(Violation::new("P5", "what is unfinished opens as a store"));
    }
    Ok(broken)
}

/// A closed store opens, is whole, and has so many events at least.
fn hold_whole(name: &str, path: &Path, events: u64) -> Result<Vec<Violation>> {
    let options = StoreOptions::default();
    let found = verify(path, &options).with_context(|| format!("look at {name}"))?;
    let mut broken = Vec::new();
    if !found.is_whole() {
        broken.push(Violation::new("P5", format!("{name}: {:?}", found.findings)));
    }
    let store = Store::open_with(path, options).with_context(|| format!("open {name}"))?;
    let durable = store.durable().get();
    store.close()?;
    if durable < events {
        let what = format!("{name} holds {durable} events, {events} were acknowledged");
        broken.push(Violation::new("P1", what));
    }
    Ok(broken)
}
