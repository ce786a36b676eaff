//! Rot (P5, P8): files of stores of known content are damaged in every way there is. A store opens whole, or refuses and
//! names what is damaged; what opens says what was written, or names the damage where it is read. What refuses can be
//! salvaged up to the damage.

mod check;
mod content;
mod damage;
mod saved;
mod wal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};

use self::check::{Allowed, Found, Outcome, check};
use self::content::{Known, Stores, copy};
use self::damage::{Damage, Disaster, Kind};
use crate::place;
use crate::random::Random;
use crate::tally::Tally;
use crate::violation::Violation;

/// The settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Rot {
    /// Drawn cases: a file of a kind, and something that happens to it.
    #[arg(long, default_value_t = 6_000)]
    pub(crate) cases: u32,
    /// Of a write-ahead file of 64 KiB each nth byte is damaged, and of the ends of records each nth is cut at; 1 for
    /// all.
    #[arg(long, default_value_t = 1)]
    pub(crate) every: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Runs only the case with this number; with the stores and the seed of a failure it runs that one again.
    #[arg(long)]
    pub(crate) only: Option<usize>,
    /// Stores that an earlier run kept.
    #[arg(long)]
    pub(crate) stores: Option<PathBuf>,
    /// Where the stores are made: new or empty; removed if nothing is found. Default: in memory, if there is /dev/shm.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
    /// Prints what each refusal said, once a kind.
    #[arg(long)]
    pub(crate) texts: bool,
}

/// Nothing takes so long: a case that does hangs. Counted in seconds that this process runs.
const HANG_SECONDS: u32 = 120;
/// How often each disaster comes.
const DISASTER_ROUNDS: u32 = 6;
/// Of the bytes of a write-ahead file, so many are only opened until one is verified and salvaged, too.
const THOROUGH_EVERY: u64 = 16;
/// So many of the last records, all behind the watermark, are swept byte by byte.
const LAST_RECORDS: usize = 6;
/// So many violations are enough.
const VIOLATIONS_MAX: usize = 10;

/// One case.
#[derive(Debug, Clone)]
enum Case {
    /// A bit of this byte of the small store's write-ahead file is flipped.
    Byte(u64),
    /// A bit of this byte of the crashed store's newest write-ahead file is flipped: behind its watermark.
    LastBytes(u64),
    /// A write-ahead file of a store is cut where a record begins.
    CutAtRecord {
        store: usize,
        wal: usize,
        at: u64,
    },
    Disaster {
        store: usize,
        disaster: Disaster,
    },
    /// A drawn file of a drawn store.
    Drawn,
}

/// What a worker tells.
enum Word {
    Begins(usize, usize),
    Ends {
        kind: String,
        found: Found,
        place: String,
        store: PathBuf,
        number: usize,
    },
}

struct Work {
    stores: Arc<Stores>,
    cases: Vec<Case>,
    seed: u64,
    place: PathBuf,
    next: AtomicUsize,
    /// Panics on any thread, the store's among them.
    panics: Arc<AtomicU64>,
}

pub(crate) async fn run(rot: &Rot) -> Result<Tally> {
    let place = place::make_in_memory(rot.directory.as_deref(), "rot")?;
    let stores = match &rot.stores {
        Some(kept) => Stores::at(kept)?,
        None => Stores::make(&place.join("stores")).await?,
    };
    let cases = cases(rot, &stores)?;
    let every = rot.only.map_or(cases.len(), |_| 1);
    let mut tally = Tally::new("rot", every as u32);
    let work = Arc::new(Work {
        next: AtomicUsize::new(rot.only.unwrap_or(0)),
        cases: match rot.only {
            Some(only) => cases[..=only].to_vec(),
            None => cases,
        },
        stores,
        seed: rot.seed,
        place: place.clone(),
        panics: count_panics(),
    });
    let (tell, told) = channel();
    let workers = std::thread::available_parallelism()
        .map_or(2, std::num::NonZero::get)
        .min(8);
    for worker in 0..workers {
        let (work, tell) = (Arc::clone(&work), tell.clone());
        std::thread::spawn(move || labour(&work, worker, &tell));
    }
    drop(tell);
    hear(rot, &work, &told, &mut tally);
    if tally.violations.is_empty() {
        place::remove(&place)?;
    }
    Ok(tally)
}

/// All cases, in an order that a number finds again.
fn cases(rot: &Rot, stores: &Stores) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for _ in 0..DISASTER_ROUNDS.div_ceil(rot.every) {
        for store in 0..stores.large().len() {
            let disasters = Disaster::ALL.into_iter();
            cases.extend(disasters.map(|disaster| Case::Disaster { store, disaster }));
        }
    }
    cases.extend((0..rot.cases).map(|_| Case::Drawn));
    for (store, known) in stores.large().into_iter().enumerate() {
        for (wal, (path, _)) in wal::files(&known.path)?.into_iter().enumerate() {
            let starts = wal::record_starts(&fs::read(path)?);
            let starts = starts.into_iter().step_by(rot.every as usize);
            cases.extend(starts.map(|at| Case::CutAtRecord { store, wal, at }));
        }
    }
    let (live, end) = live_records(&stores.crashed)?;
    let from = live[live.len().saturating_sub(LAST_RECORDS)];
    cases.extend((from..end).step_by(rot.every as usize).map(Case::LastBytes));
    let bytes = (0..content::SWEPT_BYTES).step_by(rot.every as usize);
    cases.extend(bytes.map(Case::Byte));
    Ok(cases)
}

/// Where the records of a store's newest write-ahead file begin, and the file's length.
fn live_records(known: &Known) -> Result<(Vec<u64>, u64)> {
    let (path, bytes) = wal::files(&known.path)?.pop().context("a WAL")?;
    Ok((wal::record_starts(&fs::read(path)?), bytes))
}

fn count_panics() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let (counted, hook) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, Ordering::SeqCst);
        hook(info);
    }));
    panics
}

/// Hears the workers until the last one is gone, one hangs, or enough is broken.
fn hear(rot: &Rot, work: &Work, told: &Receiver<Word>, tally: &mut Tally) {
    let mut under_way = std::collections::BTreeMap::new();
    let mut quiet_seconds = 0;
    let mut texts = std::collections::BTreeMap::new();
    loop {
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(Word::Begins(worker, number)) => drop(under_way.insert(worker, number)),
            Ok(Word::Ends {
                kind,
                found,
                place,
                store,
                number,
            }) => {
                count(tally, &kind, &found);
                if let Some(said) = &found.said {
                    texts.entry(kind).or_insert_with(|| said.clone());
                }
                if !found.broken.is_empty() {
                    tally.failed(&found.broken, &place, &store, &rerun(rot, work, number));
                }
                if tally.violations.len() >= VIOLATIONS_MAX {
                    work.next.store(work.cases.len(), Ordering::SeqCst);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                quiet_seconds += 1;
                if quiet_seconds >= HANG_SECONDS {
                    let hangs = [Violation::new(
                        "P5",
                        format!("nothing ends any more; under way: {under_way:?}"),
                    )];
                    let number = under_way.values().next().copied().unwrap_or(0);
                    tally.failed(&hangs, "a case", &work.place, &rerun(rot, work, number));
                    return;
                }
                continue;
            }
        }
        quiet_seconds = 0;
    }
    let panics = work.panics.load(Ordering::SeqCst);
    if panics > 0 {
        let broken = [Violation::new("P10", format!("{panics} panics"))];
        tally.failed(&broken, "some case", &work.place, &rerun(rot, work, 0));
    }
    if rot.texts {
        for (kind, said) in texts {
            tally.note(format!("{kind}: {said}"));
        }
    }
}

fn rerun(rot: &Rot, work: &Work, number: usize) -> String {
    let stores = rot.stores.clone().unwrap_or_else(|| work.place.join("stores"));
    format!(
        "cargo run --release -p torture -- rot --seed {} --cases {} --every {} --stores {} --only {number}",
        rot.seed,
        rot.cases,
        rot.every,
        stores.display()
    )
}

fn count(tally: &mut Tally, kind: &str, found: &Found) {
    tally.tried(kind, found.outcome.name());
    tally.count(found.outcome.name(), 1);
    if let Outcome::Less(commits) = found.outcome {
        tally.count("unprotected commits, in all", commits);
        tally.longest("unprotected commits, at most", commits);
    }
    match found.saved {
        Some((_, 0)) => tally.count("salvaged whole", 1),
        Some(_) => tally.count("salvaged in part", 1),
        None if found.outcome == Outcome::Refused && !found.is_brief => {
            tally.count("no salvage: no log, or a newer format", 1);
        }
        None => {}
    }
}

fn labour(work: &Work, worker: usize, tell: &Sender<Word>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a tokio runtime starts");
    loop {
        let number = work.next.fetch_add(1, Ordering::SeqCst);
        let Some(case) = work.cases.get(number) else {
            return;
        };
        let store = work.place.join(format!("case-{worker}"));
        if tell.send(Word::Begins(worker, number)).is_err() {
            return;
        }
        let ended = try_case(work, number, case, &store, &runtime);
        let (kind, found, place) = ended.unwrap_or_else(|error| {
            let broken = vec![Violation::new("P5", format!("the harness failed: {error:#}"))];
            let found = Found {
                outcome: Outcome::Refused,
                broken,
                said: None,
                saved: None,
                is_brief: true,
            };
            ("failed".into(), found, format!("{case:?}"))
        });
        let mut kept = store.clone();
        if !found.broken.is_empty() {
            kept = work.place.join(format!("broken-{number}"));
            let _ = fs::rename(&store, &kept);
        }
        if tell
            .send(Word::Ends {
                kind,
                found,
                place,
                store: kept,
                number,
            })
            .is_err()
        {
            return;
        }
    }
}

/// Copies, damages, checks. What it is called, what was found, and where.
fn try_case(
    work: &Work,
    number: usize,
    case: &Case,
    store: &Path,
    runtime: &tokio::runtime::Runtime,
) -> Result<(String, Found, String)> {
    let stores = &work.stores;
    let mut random = Random::new(work.seed, number as u64);
    let known = match case {
        Case::Byte(_) => &stores.small,
        Case::LastBytes(_) => &stores.crashed,
        Case::CutAtRecord { store, .. } | Case::Disaster { store, .. } => stores.large()[*store],
        Case::Drawn => stores.large()[random.below(3) as usize],
    };
    let _ = fs::remove_dir_all(store);
    copy(&known.path, store)?;
    let damaged = damage(work, case, known, store, &mut random)?;
    let place = format!("case {number}, store \"{}\": {}", known.name, damaged.place);
    if !damaged.is_changed {
        return Ok((damaged.kind, Found::not_reached(), place));
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        check(store, known, &damaged.allowed, runtime)
    }));
    let found = panicked.unwrap_or_else(|_| Found {
        outcome: Outcome::Refused,
        broken: vec![Violation::new("P12", "it panicked")],
        said: None,
        saved: None,
        is_brief: true,
    });
    Ok((damaged.kind, found, place))
}

/// What was done to a copy.
struct Damaged {
    kind: String,
    /// What it may come to.
    allowed: Allowed,
    place: String,
    /// Whether it changed a byte: two ranges of zeroes that change places don't.
    is_changed: bool,
}

/// Damages the copy.
fn damage(work: &Work, case: &Case, known: &Known, store: &Path, random: &mut Random) -> Result<Damaged> {
    let (kind, file, damage) = match case {
        Case::Disaster { disaster, .. } => {
            disaster.apply(store, random, &work.stores)?;
            let is_other = matches!(
                disaster,
                Disaster::LogOfOther | Disaster::LogAndDerivedOfOther | Disaster::LogDeleted
            );
            let allowed = Allowed {
                floor: if disaster.is_of_derived() {
                    known.end()
                } else {
                    known.promised
                },
                names: vec![store.join("log").display().to_string()],
                saved: (!is_other).then_some(0),
                thorough: true,
            };
            return Ok(Damaged {
                kind: disaster.name().to_owned(),
                allowed,
                place: format!("{disaster:?}"),
                is_changed: true,
            });
        }
        Case::Byte(at) | Case::LastBytes(at) => {
            let file = wal::files(&known.path)?.pop().context("a WAL")?.0;
            let file = file.strip_prefix(&known.path)?.to_owned();
            let bit = random.below(8) as u32;
            (Kind::LogWal, file, Damage::Flip { at: *at, bit })
        }
        Case::CutAtRecord { wal, at, .. } => {
            let file = wal::files(&known.path)?.swap_remove(*wal).0;
            (
                Kind::LogWal,
                file.strip_prefix(&known.path)?.to_owned(),
                Damage::Cut { at: *at },
            )
        }
        Case::Drawn => damage::draw(random, store, &work.stores)?,
    };
    let is_changed = damage.apply(store, &file)?;
    let hit = Hit::of(case, known)?;
    let name = match case {
        Case::Byte(_) => "log/ WAL, a bit of each byte of 64 KiB flipped".to_owned(),
        Case::LastBytes(_) if hit.is_some_and(|hit| hit.is_last) => {
            "a bit flipped in the last record, behind the watermark".to_owned()
        }
        Case::LastBytes(_) => "a bit flipped in a record before the last, behind the watermark".to_owned(),
        Case::CutAtRecord { .. } => "a WAL cut at a record".to_owned(),
        _ => format!("{}, {}", kind.name(), damage.name()),
    };
    let mut names = vec![file.file_name().context("a file")?.to_string_lossy().into_owned()];
    if let Damage::SwapFiles { with } = &damage {
        names.push(with.file_name().context("a file")?.to_string_lossy().into_owned());
    }
    let allowed = Allowed {
        floor: match (case, hit) {
            // Nothing but the last record is ever taken for a torn write.
            (Case::LastBytes(_), Some(hit)) if hit.is_last => hit.before,
            (Case::LastBytes(_), _) => known.end(),
            _ if kind == Kind::LogWal => known.promised,
            _ => known.end(),
        },
        names,
        saved: Some(hit.map_or(if kind.is_log() { 0 } else { known.end() }, |hit| hit.before)),
        thorough: !matches!(case, Case::Byte(at) | Case::LastBytes(at) if at % THOROUGH_EVERY != 0),
    };
    Ok(Damaged {
        kind: name,
        allowed,
        place: format!("{}, {damage:?}", file.display()),
        is_changed,
    })
}

/// The record of a swept write-ahead file that is hit.
#[derive(Clone, Copy)]
struct Hit {
    /// The last offset before it: so much must be saved.
    before: u64,
    /// Whether no record is behind it.
    is_last: bool,
}

impl Hit {
    /// None for other cases. The file's records are the store's last segments.
    fn of(case: &Case, known: &Known) -> Result<Option<Self>> {
        let (Case::Byte(at) | Case::LastBytes(at)) = case else {
            return Ok(None);
        };
        let (starts, _) = live_records(known)?;
        let behind = starts.iter().filter(|start| *start > at).count();
        let segments = known.segment_ends.len();
        let before = segments
            .checked_sub(behind + 2)
            .map(|last| known.segment_ends[last]);
        Ok(Some(Self {
            before: before.unwrap_or(0),
            is_last: behind == 0,
        }))
    }
}
