//! Power cuts (P1, P2, P4, P5): a child under load on a file system of its own, which loses everything that was not synced;
//! then all that was told, and shown, must be true of what the disk kept.
//!
//! Half of the cuts fall at a random instant while the child lives, and it lives on a moment without its disk. The
//! other half fall as it begins an exact system call; of what was written and not synced by then, random pages are
//! put back ([`unsynced`]), since a real cut may leave any of them.

mod disk;
mod moment;
mod unsynced;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::disk::{Cut, Disk};
use self::moment::Moment;
use self::unsynced::Written;
use crate::derived::Derived;
use crate::heard::Heard;
use crate::judge::{hold_sound, judge};
use crate::life::{Life, child, child_under_strace};
use crate::model::{Compared, Model};
use crate::place;
use crate::random::Random;
use crate::report::Report;
use crate::tally::{NOT_REACHED, Tally};
use crate::violation::Violation;
use crate::{strace, sweep};

/// The power cuts' settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Power {
    /// How often the power is cut.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) cuts: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this cut, on a new store.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where the disk's image is made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// After so many cuts a new store begins, on a new disk: the making of one is cut, too, and looking stays quick.
const CUTS_A_STORE: u32 = 25;
/// In one life of so many all commands are large: batches of a megabyte, too.
const HEAVY_ONE_IN: u64 = 10;
/// A write to the log that the cut met is torn in so many ways more.
const TORN_COPIES: u32 = 2;
/// The next write-ahead file must come within so long, or the cut comes without.
const ROTATION_MAX: Duration = Duration::from_secs(20);
/// A child that does not come to its call is killed all the same.
const CALL_MAX: Duration = Duration::from_secs(1);

pub(crate) async fn run(power: &Power) -> Result<Tally> {
    let place = place::make(power.directory.as_deref(), "power")?;
    let mut tally = Tally::new("power", power.cuts);
    if let Err(error) =
        Disk::make(&place).and_then(|disk| disk.prepare_cut()?.now().and_then(|()| disk.power_on()))
    {
        tally.skip(format!(
            "no power was cut, which takes root, mkfs.ext4, loop mounts and xfs_io: {error:#}"
        ));
        place::remove(&place)?;
        return Ok(tally);
    }
    let has_strace = strace::can_follow();
    if !has_strace {
        tally.skip("strace is not installed, or may not trace: no cut at a system call, and no torn write");
    }
    let mut store = Tortured::new(&place)?;
    for cut in power.first..power.first + power.cuts {
        if cut.is_multiple_of(CUTS_A_STORE) && cut > power.first {
            tally.count("events in the logs", store.model.events());
            drop(store);
            store = Tortured::new(&place)?;
        }
        let mut random = Random::new(power.seed, u64::from(cut));
        let moment = Moment::of(cut, &mut random, has_strace);
        let derived = Derived::of(&mut random);
        if let Some(broken) = store.cut(moment, derived, &mut random, &mut tally).await? {
            let first = power.first.max(cut - cut % CUTS_A_STORE);
            let rerun = rerun(power.seed, first, cut - first + 1);
            let cut = format!("cut {cut}, {moment:?}, derived/ {derived:?}");
            let report = Report::new(&broken.violations, &cut, &store.as_cut(), &rerun)
                .struck(store.struck(moment))
                .log(broken.log);
            tally.report(report);
            return Ok(tally);
        }
    }
    tally.count("events in the logs", store.model.events());
    drop(store);
    let violations = sweep::hold(&tally);
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = rerun(power.seed, power.first, power.cuts);
        tally.failed(&violations, "all cuts", &place, &rerun);
    }
    Ok(tally)
}

fn rerun(seed: u64, first: u32, cuts: u32) -> String {
    format!("cargo run --release -p torture -- power --seed {seed} --first {first} --cuts {cuts}")
}

/// What a cut broke, and what was told and what is there.
#[derive(Debug)]
struct Broken {
    violations: Vec<Violation>,
    log: Compared,
}

impl Broken {
    /// Of a store that was judged.
    fn of(violations: Vec<Violation>, model: &Model, heard: &Heard) -> Option<Self> {
        if violations.is_empty() {
            return None;
        }
        let log = model.compare(heard);
        Some(Self { violations, log })
    }
}

/// A store on a disk whose power is cut again and again.
#[derive(Debug)]
struct Tortured {
    place: PathBuf,
    disk: Disk,
    model: Model,
}

impl Tortured {
    fn new(place: &Path) -> Result<Self> {
        Ok(Self {
            place: place.to_path_buf(),
            disk: Disk::make(place)?,
            model: Model::default(),
        })
    }

    fn directory(&self) -> PathBuf {
        self.disk.path().join("store")
    }

    /// A copy of the store as the cut left it, before anybody opened it.
    fn as_cut(&self) -> PathBuf {
        self.place.join("as-cut")
    }

    /// What `strace` noted of the last child that it killed; on another disk.
    fn notes(&self) -> PathBuf {
        self.place.join("strace")
    }

    fn struck(&self, moment: Moment) -> Option<strace::Struck> {
        match moment {
            Moment::Call(at) => at.struck(&self.notes()),
            _ => None,
        }
    }

    /// One child's life, the cut, and what is broken by it.
    async fn cut(
        &mut self,
        moment: Moment,
        derived: Derived,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<Option<Broken>> {
        let store = self.directory();
        let cut = self.disk.prepare_cut()?;
        let mut life = Life::start(self.command(moment, random)?)?;
        let mut violations = Vec::new();
        derived.while_opening(&mut life, &store, tally)?;
        if !matches!(moment, Moment::Opening(_)) {
            violations.extend(life.wait_until_ready()?);
            derived.while_running(&mut life, &store, tally)?;
        }
        let came = match moment {
            Moment::Opening(time) => !life.ends_within(time.saturating_sub(life.age()))? && !life.is_ready(),
            Moment::Load(time) => !life.ends_within(time)? && life.is_ready(),
            Moment::Rotation(time) => self.wait_for_next_wal(&mut life)? && !life.ends_within(time)?,
            Moment::Call(_) => life.ends_within(CALL_MAX)?,
        };
        let by_itself = life.ended_by_itself()?;
        tally.tried(moment.name(), if came { "" } else { NOT_REACHED });
        if !came && !matches!(moment, Moment::Opening(_)) {
            violations.extend(life.wait_for_answers()?);
        }
        let heard = match moment {
            Moment::Call(_) => {
                let (heard, written) = self.cut_dead(life, cut, derived, tally)?;
                let torn = self.tear_copies(&written, &heard, random, tally).await?;
                if torn.is_some() {
                    return Ok(torn);
                }
                tear(&written, &store, random, tally)?;
                heard
            }
            _ => self.cut_alive(life, cut, derived, tally)?,
        };
        sweep::count(&heard, tally);
        derived.before_opening(&store, tally)?;
        self.keep_as_cut(&store)?;
        violations.extend(judge(&store, &mut self.model, &heard, tally).await);
        violations.extend(hold_sound(&heard, by_itself, derived));
        Ok(Broken::of(violations, &self.model, &heard))
    }

    /// Where a write to the log was under way, it is torn in other ways, too, on copies of the store.
    async fn tear_copies(
        &self,
        written: &Written,
        heard: &Heard,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<Option<Broken>> {
        let copy = self.disk.path().join("torn");
        for _ in 0..TORN_COPIES {
            let _ = std::fs::remove_dir_all(&copy);
            copy_store(&self.directory(), &copy)?;
            if !tear(written, &copy, random, tally)? {
                break;
            }
            self.keep_as_cut(&copy)?;
            // What is counted is counted of the store itself.
            let (mut model, mut aside) = (self.model.clone(), Tally::new("power", 0));
            let violations = judge(&copy, &mut model, heard, &mut aside).await;
            let torn = Broken::of(violations, &model, heard);
            if torn.is_some() {
                return Ok(torn);
            }
        }
        let _ = std::fs::remove_dir_all(&copy);
        Ok(None)
    }

    fn command(&self, moment: Moment, random: &mut Random) -> Result<Command> {
        let (store, seed) = (self.directory(), random.next() >> 40);
        let mut command = match moment {
            Moment::Call(at) => child_under_strace(&store, seed, at, &self.notes())?,
            _ => child(&store, seed)?,
        };
        if random.below(HEAVY_ONE_IN) == 0 || matches!(moment, Moment::Rotation(_)) {
            command.arg("--heavy");
        }
        Ok(command)
    }

    /// Whether it came before the child ended, or time ran out.
    fn wait_for_next_wal(&self, life: &mut Life) -> Result<bool> {
        let until = Instant::now() + ROTATION_MAX;
        let begun = self.newest_wal();
        while self.newest_wal() == begun {
            if Instant::now() > until || life.ends_within(Duration::from_millis(1))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The name of the log's last write-ahead file; RocksDB numbers them with leading zeroes.
    fn newest_wal(&self) -> Option<OsString> {
        let files = std::fs::read_dir(self.directory().join("log")).ok()?;
        let names = files.flatten().map(|file| file.file_name());
        names
            .filter(|name| Path::new(name).extension() == Some("log".as_ref()))
            .max()
    }

    /// The power goes while the child lives: for a moment it goes on, and gets errors.
    fn cut_alive(&self, mut life: Life, cut: Cut, derived: Derived, tally: &mut Tally) -> Result<Heard> {
        let is_dead = life.ends_within(Duration::ZERO)?;
        derived.while_dying(is_dead, &self.directory(), tally, || {
            life.loses_its_disk()?;
            cut.now()?;
            life.kill()
        })?;
        let heard = life.heard()?;
        self.disk.power_on()?;
        Ok(heard)
    }

    /// The power goes as the child dies, in the midst of what it wrote.
    fn cut_dead(
        &self,
        mut life: Life,
        cut: Cut,
        derived: Derived,
        tally: &mut Tally,
    ) -> Result<(Heard, Written)> {
        let is_dead = life.ends_within(Duration::ZERO)?;
        derived.while_dying(is_dead, &self.directory(), tally, || life.kill())?;
        let heard = life.heard()?;
        let written = Written::read(&self.directory())?;
        cut.now()?;
        self.disk.power_on()?;
        Ok((heard, written))
    }

    fn keep_as_cut(&self, store: &Path) -> Result<()> {
        let _ = std::fs::remove_dir_all(self.as_cut());
        copy_store(store, &self.as_cut())
    }
}

fn copy_store(from: &Path, to: &Path) -> Result<()> {
    if from.exists() {
        disk::run(Command::new("cp").arg("-a").args([from, to]))?;
    }
    Ok(())
}

/// Tears what was not synced; whether a write to the log was.
fn tear(written: &Written, store: &Path, random: &mut Random, tally: &mut Tally) -> Result<bool> {
    let torn = written.tear(store, random)?;
    for (_, pages) in &torn {
        tally.count("unsynced pages, kept", pages.kept);
        tally.count("unsynced pages, lost", pages.lost);
    }
    let is_log = |file: &Path| file.starts_with("log") && file.extension() == Some("log".as_ref());
    let is_log_torn = torn.iter().any(|(file, _)| is_log(file));
    tally.count("torn writes to the log", is_log_torn.into());
    Ok(is_log_torn)
}
