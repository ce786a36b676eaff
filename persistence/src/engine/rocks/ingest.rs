//! Stores a run: one sorted file a family, written beside `derived/`'s own and handed over to RocksDB whole.
//!
//! The order is what keeps the indexed position from getting ahead of its rows. Each ingestion is durable when it
//! returns, which was read in RocksDB 11.8 (`external_sst_file_ingestion_job.cc`, `version_set.cc`): the file is
//! synced once when it is finished and again under its new name, then the directory, then the manifest that names
//! it. So the position, ingested last, is in the manifest after its rows, and no flush can bring it in earlier:
//! neither rows nor position are ever in a memtable.
//!
//! Whenever a crash comes, the next opening leaves a run whole or not at all. Rows without their position must not stay:
//! that part of the log is indexed again, and with another `generation_bytes`, or by a release that makes other rows, it
//! is cut at other versions. A row left from the first time then stands behind one that reaches further, and is taken for
//! the stream's end. So nothing is handed over before all files of the run are complete and have names that outlast a
//! crash, the position's last. What an opening finds under these names is handed over, again if need be, which changes
//! nothing; files without the position's were not begun to be handed over, and are removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};

use super::tuning::Shared;
use super::{failed, handle};
use crate::engine::{EngineError, Family, Run};
use crate::error::StoreError;
use crate::open::layout::{exists, remove_file, sync_directory};
use crate::planted::{Planted, planted};

/// Where runs are written, in `derived/`: the same file system, so that a file is handed over by a link.
/// RocksDB passes over names that are not its own.
const DIRECTORY: &str = "runs";
/// What the position's file is called until all files of the run are complete.
const UNFINISHED: &str = "meta.unfinished";
/// The families of a run, in the order in which they are handed over.
const FAMILIES: [Family; 3] = [Family::Streams, Family::Commands, Family::Meta];

/// Writes runs into one `derived/`. One thread at a time.
pub(crate) struct RunWriter {
    directory: PathBuf,
    /// How files are made, by family.
    files: [Options; Family::ALL.len()],
    /// Held while a run is stored.
    storing: Mutex<()>,
}

/// What is done of a run: where a crash may come. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The family's file is complete, outside of the database.
    Written(Family),
    /// The family's rows can be read, and are durable. `Meta` comes last: the indexed position.
    Ingested(Family),
}

/// The files of a run that a crash cut short after all of it was written, in the order in which they are handed over;
/// without those that RocksDB has already, and took the name from.
pub(crate) fn cut_short(derived: &Path) -> Result<Vec<(Family, PathBuf)>, StoreError> {
    let directory = derived.join(DIRECTORY);
    let mut files = Vec::new();
    if exists(&path(&directory, Family::Meta))? {
        tracing::info!(path = %directory.display(), "a run that was written is stored");
        for family in FAMILIES {
            let path = path(&directory, family);
            if exists(&path)? {
                files.push((family, path));
            }
        }
    }
    Ok(files)
}

/// Hands a run's file over; its rows are durable on return.
pub(crate) fn hand_over(derived: &DB, family: Family, file: &Path) -> Result<(), rocksdb::Error> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    // Nobody takes snapshots of the database, and an iterator keeps the files that it began with.
    options.set_snapshot_consistency(false);
    // Rows of a run are in no memtable; if they were, this is an error and not a flush with writers stopped.
    options.set_allow_blocking_flush(false);
    derived.ingest_external_file_cf_opts(handle(derived, family), &options, vec![file])
}

impl RunWriter {
    /// Makes its directory in `derived`, without what a crash left there.
    pub(crate) fn new(derived: &Path, shared: &Shared) -> Result<RunWriter, EngineError> {
        let directory = derived.join(DIRECTORY);
        clear(&directory).map_err(|error| EngineError::Failed {
            context: "clear the directory for runs",
            reason: format!("{}: {error}", directory.display()).into(),
        })?;
        let files = shared
            .run_files()
            .map_err(|error| failed("set the options of runs", &error))?;
        Ok(RunWriter {
            directory,
            files,
            storing: Mutex::new(()),
        })
    }

    /// While it is held no run is stored, and none is stored in part.
    pub(super) fn between_runs(&self) -> MutexGuard<'_, ()> {
        self.storing.lock()
    }

    /// Stores a run: rows first, their position last; durable on return. `done` is told of each step.
    pub(crate) fn store(
        &self,
        derived: &DB,
        run: &Run,
        mut done: impl FnMut(Step),
    ) -> Result<(), EngineError> {
        let _storing = self.storing.lock();
        self.begin()?;
        if planted(Planted::PositionBeforeRuns) {
            self.write_position(run)?;
            self.ingest(derived, Family::Meta)?;
        }
        // RocksDB makes no empty file: a run without any command has none for them.
        let families = run.families().into_iter();
        let families = families.filter(|(_, rows)| rows.iter().next().is_some());
        for (family, rows) in families.clone() {
            self.write(family, &path(&self.directory, family), rows.iter())?;
            done(Step::Written(family));
        }
        self.write_position(run)?;
        done(Step::Written(Family::Meta));
        for family in families.map(|(family, _)| family).chain([Family::Meta]) {
            self.ingest(derived, family)?;
            done(Step::Ingested(family));
        }
        Ok(())
    }

    /// Removes what an earlier run left, durably: the position's name must not come back over half of another run.
    ///
    /// If RocksDB could not remove a name itself, it is a second one of a file that is in use by now: writing into it
    /// would destroy rows.
    fn begin(&self) -> Result<(), EngineError> {
        let files = FAMILIES.map(|family| path(&self.directory, family));
        let unfinished = self.directory.join(UNFINISHED);
        files
            .iter()
            .chain([&unfinished])
            .try_for_each(|path| remove_file(path))
            .and_then(|()| sync_directory(&self.directory))
            .map_err(|error| self.failed("remove the files of an earlier run", &error))
    }

    /// Makes the position's file, and with it the run complete: it has its name, durably, once all other files do.
    fn write_position(&self, run: &Run) -> Result<(), EngineError> {
        let (key, value) = &run.indexed;
        let unfinished = self.directory.join(UNFINISHED);
        self.write(Family::Meta, &unfinished, std::iter::once((&key[..], &value[..])))?;
        fs::rename(&unfinished, path(&self.directory, Family::Meta))
            .and_then(|()| sync_directory(&self.directory))
            .map_err(|error| self.failed("name a run's files", &error))
    }

    /// Makes a family's file; synced on return.
    fn write<'r>(
        &self,
        family: Family,
        path: &Path,
        rows: impl Iterator<Item = (&'r [u8], &'r [u8])>,
    ) -> Result<(), EngineError> {
        let write = || {
            let mut file = SstFileWriter::create(&self.files[family.index()]);
            file.open(path)?;
            for (key, value) in rows {
                file.put(key, value)?;
            }
            file.finish()
        };
        write().map_err(|error| failed("write a run", &error))
    }

    fn ingest(&self, derived: &DB, family: Family) -> Result<(), EngineError> {
        hand_over(derived, family, &path(&self.directory, family))
            .map_err(|error| failed("ingest a run", &error))
    }

    fn failed(&self, context: &'static str, error: &io::Error) -> EngineError {
        EngineError::Failed {
            context,
            reason: format!("{}: {error}", self.directory.display()).into(),
        }
    }
}

fn path(directory: &Path, family: Family) -> PathBuf {
    directory.join(family.name()).with_extension("sst")
}

/// An empty directory.
fn clear(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        tracing::info!(path = %path.display(), "a run that was not stored whole is removed, and made again");
        fs::remove_file(path)?;
    }
    Ok(())
}
