//! Holds a damaged store to what is known of it: whole, or refused by name; never silently less, never wrong.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use dormouse::{Aggregate, AggregateType, EntityError, Store, StoreError, StreamId, Version};
use dormouse_persistence::inspect;

use super::content::{Commit, Known, options, read, start};
use super::saved::salvage;
use crate::counter::{Add, Counter};
use crate::violation::Violation;

/// What became of a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It opened, and all is there.
    Whole,
    /// It opened whole; an error named damage of the index when that was read, and the next opening healed it.
    Healed,
    /// It opened; reading the log named damage in a table that opening does not look into.
    NamedOnReading,
    /// It opened with so many commits less, all behind what was promised.
    Less(u64),
    /// It refused, and said what is wrong.
    Refused,
    /// Nothing was damaged: what was to be written there is there already.
    NotReached,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Healed => "whole, index healed",
            Self::NamedOnReading => "named on reading",
            Self::Less(_) => "less, unprotected",
            Self::Refused => "refused",
            Self::NotReached => "not reached: no byte changed",
        }
    }
}

/// What a case may come to.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    /// The last offset that must be there if it opens.
    pub(crate) floor: u64,
    /// Words of which a refusal must hold one: names of what was damaged.
    pub(crate) names: Vec<String>,
    /// Offsets before this one must be saved from what refuses; nothing, where the log itself is another one.
    pub(crate) saved: Option<u64>,
    /// Whether it is verified and salvaged, too: that takes longer than opening it.
    pub(crate) thorough: bool,
}

/// The finding on one case.
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    pub(crate) broken: Vec<Violation>,
    /// What a refusal said.
    pub(crate) said: Option<String>,
    /// What the new store has, and what it lost, if there is one.
    pub(crate) saved: Option<(u64, u64)>,
    /// Whether it was not even tried to save what refused: that takes longer than opening it.
    pub(crate) is_brief: bool,
}

impl Found {
    pub(crate) fn not_reached() -> Self {
        Self {
            outcome: Outcome::NotReached,
            broken: Vec::new(),
            said: None,
            saved: None,
            is_brief: true,
        }
    }
}

pub(crate) fn check(
    store: &Path,
    known: &Known,
    allowed: &Allowed,
    runtime: &tokio::runtime::Runtime,
) -> Found {
    let mut broken = Vec::new();
    let before = image(&store.join("log"));
    let verified = allowed.thorough.then(|| inspect::verify(store, &options()));
    if image(&store.join("log")) != before {
        broken.push(Violation::new("P5", "verifying changed the log"));
    }
    match Store::open_with(store, options()) {
        Ok(opened) => {
            let mut hold = Hold {
                known,
                broken: &mut broken,
            };
            let outcome = hold.opened(&opened, allowed, runtime);
            let is_named = outcome == Outcome::NamedOnReading;
            let verdict = match &verified {
                Some(Ok(verified)) if verified.is_whole() == is_named => {
                    Some(format!("says {:?}", verified.findings))
                }
                Some(Err(error)) => Some(format!("fails: {error}")),
                _ => None,
            };
            if let Some(verdict) = verdict {
                let what = format!("it opened and was {}, but verify {verdict}", outcome.name());
                broken.push(Violation::new("P5", what));
            }
            let mut saved = None;
            if is_named {
                drop(opened);
                saved = salvage(store, known, allowed, &mut broken);
            }
            Found {
                outcome,
                broken,
                said: None,
                saved,
                is_brief: !allowed.thorough,
            }
        }
        Err(error) => {
            // Whole segments may have gone from a write-ahead file into a table before another part was refused.
            let kept = |verified: &Result<inspect::Verified, StoreError>| {
                verified.as_ref().map_or(0, |verified| verified.log.events)
            };
            if image(&store.join("log")) != before
                && kept(&inspect::verify(store, &options())) != verified.as_ref().map_or(0, &kept)
            {
                let what = format!("a refusal took something from the log: {error}");
                broken.push(Violation::new("P5", what));
            }
            let said = error.to_string();
            if !is_named(&said, known, allowed) {
                broken.push(Violation::new(
                    "P5",
                    format!("a refusal that names nothing: {said}"),
                ));
            }
            if let Some(Ok(verified)) = &verified
                && verified.is_whole()
            {
                broken.push(Violation::new(
                    "P5",
                    format!("refused ({said}), but verify finds it whole"),
                ));
            }
            let saved = allowed
                .thorough
                .then(|| salvage(store, known, allowed, &mut broken))
                .flatten();
            Found {
                outcome: Outcome::Refused,
                broken,
                said: Some(said),
                saved,
                is_brief: !allowed.thorough,
            }
        }
    }
}

/// A file by its name or its number, or an offset of the log that there is.
fn is_named(said: &str, known: &Known, allowed: &Allowed) -> bool {
    let is_file_named = allowed.names.iter().any(|name| {
        // `000018.log`: RocksDB says "log number: 18"
        let number = name.split('.').next().unwrap_or_default().trim_start_matches('0');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        said.contains(name.as_str())
            || is_number
                && [".", ")"]
                    .iter()
                    .any(|end| said.contains(&format!(" {number}{end}")))
    });
    let offsets = ["offset ", "offsets ", "up to "]
        .iter()
        .flat_map(|word| said.split(word).skip(1));
    let mut offsets =
        offsets.filter_map(|text| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let is_place_named =
        said.contains("the log") && offsets.any(|offset| (1..=known.end()).contains(&offset));
    // Of two files that changed places, the place is named at which the chain breaks: in one of them, or between them.
    let is_chain_named =
        allowed.names.len() > 1 && said.contains("does not begin where the one before ended");
    // Of a table's damaged properties RocksDB says only this, and blames its manifest.
    let others = [
        "the store has format",
        "is another store's",
        "properties unsorted",
    ];
    // What a damaged CURRENT names: a manifest that is not there.
    let is_other_manifest = said.contains("MANIFEST-") && said.contains("No such file");
    is_file_named
        || is_place_named
        || is_chain_named
        || is_other_manifest
        || others.iter().any(|words| said.contains(words))
}

/// Names and bytes of a directory's files, but for RocksDB's text logs.
pub(crate) fn image(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let named = files.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named
        .filter(|(name, _)| !name.starts_with("LOG"))
        .map(|(name, path)| (name, fs::read(path).unwrap_or_default()))
        .collect()
}

struct Hold<'a> {
    known: &'a Known,
    broken: &'a mut Vec<Violation>,
}

impl Hold<'_> {
    fn broken(&mut self, promise: &'static str, what: impl Into<String>) {
        self.broken.push(Violation::new(promise, what));
    }

    /// Reads everything in every way there is.
    fn opened(&mut self, store: &Store, allowed: &Allowed, runtime: &tokio::runtime::Runtime) -> Outcome {
        let durable = store.durable().get();
        if durable < allowed.floor {
            self.broken(
                "P5",
                format!("it opened silently with {durable} of {} offsets", allowed.floor),
            );
        }
        let there = self
            .known
            .commits
            .partition_point(|commit| commit.last_offset <= durable);
        let less = (self.known.commits.len() - there) as u64;
        let (named, log) = match read(store) {
            Ok(commits) => (false, commits),
            Err(error) => {
                self.named_on_reading(&error, allowed);
                (true, self.known.commits[..there].to_vec())
            }
        };
        if log != self.known.commits[..there] || durable > self.known.end() {
            self.broken("P5", "the log holds what was not written");
            return Outcome::Whole;
        }
        let mut healed = false;
        if !self.derived(store, there) {
            healed = true;
            match store.reopen() {
                Ok(()) if self.derived(store, there) => {}
                Ok(()) => self.broken("P8", "the index is damaged still after another opening"),
                Err(error) if named => self.named_on_reading(&error, allowed),
                Err(error) => self.broken("P8", format!("the index was not healed: {error}")),
            }
        }
        match store.health() {
            dormouse::Health::Healthy => {
                let entities = runtime.block_on(self.entities(store.clone(), there));
                if let Err(error) = entities
                    && !named
                {
                    self.broken("P8", error);
                }
            }
            // It may stop where its own work meets the damage, and must say so.
            dormouse::Health::Stopped { reason } => {
                if !named && !is_named(&reason, self.known, allowed) {
                    self.broken(
                        "P5",
                        format!("it stopped by itself and names no damage: {reason}"),
                    );
                }
            }
        }
        match (named, healed, less) {
            (true, ..) => Outcome::NamedOnReading,
            (_, _, 1..) => Outcome::Less(less),
            (_, true, _) => Outcome::Healed,
            _ => Outcome::Whole,
        }
    }

    fn named_on_reading(&mut self, error: &StoreError, allowed: &Allowed) {
        let said = error.to_string();
        if !is_named(&said, self.known, allowed) {
            self.broken("P5", format!("an error on reading that names nothing: {said}"));
        }
    }

    /// Streams and command ids, each by itself: what the log says, or an error. Whether there was none.
    fn derived(&mut self, store: &Store, there: usize) -> bool {
        let commits = &self.known.commits[..there];
        let mut streams: BTreeMap<&str, Vec<&Commit>> = BTreeMap::new();
        for commit in commits {
            streams.entry(&commit.stream).or_default().push(commit);
        }
        let mut is_sound = true;
        for (name, expected) in &streams {
            let mut found = Vec::new();
            let read = store.read_stream(&stream(name), Version::new(1), &mut |commit| {
                found.push(Commit::of(commit));
                ControlFlow::Continue(())
            });
            match read {
                Ok(reached) => {
                    let head = expected.last().map_or(0, |commit| commit.last_version);
                    if reached.version().get() != head || !found.iter().eq(expected.iter().copied()) {
                        self.broken("P8", format!("{name}, read by itself, is not what the log says"));
                    }
                }
                Err(error) => is_sound &= !self.unnamed(name, &error),
            }
            if let Err(error) = store.snapshot(&stream(name)) {
                is_sound &= !self.unnamed(name, &error);
            }
        }
        for commit in commits {
            match store.find_command(&stream(&commit.stream), commit.command) {
                Ok(Some(version)) if version.get() == commit.first_version => {}
                Ok(other) => {
                    let (id, name) = (commit.command, &commit.stream);
                    self.broken("P6", format!("command {id} of {name} is found at {other:?}"));
                }
                Err(error) => is_sound &= !self.unnamed(&commit.stream, &error),
            }
        }
        is_sound
    }

    /// Always true: an error was met. It must say what is damaged.
    fn unnamed(&mut self, stream: &str, error: &StoreError) -> bool {
        let said = error.to_string();
        if !["damaged", "gap", "can't be read", "Corruption"]
            .iter()
            .any(|word| said.contains(word))
        {
            self.broken("P5", format!("{stream}: an error that names no damage: {said}"));
        }
        true
    }

    /// States, woken from their snapshots, and retries of each stream's newest command.
    async fn entities(&mut self, store: Store, there: usize) -> Result<(), String> {
        let runtime = start(store).await.map_err(|error| error.to_string())?;
        let newest: BTreeMap<&str, &Commit> = self.known.commits[..there]
            .iter()
            .map(|commit| (commit.stream.as_str(), commit))
            .collect();
        for (name, commit) in newest {
            let counter = runtime
                .entity::<Counter>(name)
                .map_err(|error: EntityError| error.to_string())?;
            let count = counter.query(|counter| counter.count).await;
            match count {
                Ok(count) if count == commit.last_version => {}
                Ok(count) => self.broken(
                    "P8",
                    format!("{name} counts {count}, full replay {}", commit.last_version),
                ),
                Err(error) => return Err(format!("{name} does not wake: {error}")),
            }
            let again = counter
                .execute(Add::numbered(commit.number))
                .id(commit.command)
                .receipt()
                .await;
            match again {
                Ok(receipt) if receipt.replayed && receipt.reply == commit.last_version => {}
                other => self.broken(
                    "P6",
                    format!("{name}: command {} sent again: {other:?}", commit.command),
                ),
            }
        }
        runtime.shutdown().await.map_err(|error| error.to_string())
    }
}

fn stream(name: &str) -> StreamId {
    let id = name.try_into().expect("a valid id");
    StreamId::new(AggregateType::from_static(Counter::TYPE), id)
}
