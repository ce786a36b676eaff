//! Stores a run: one sorted file a family, written beside `derived/`'s own and handed over to RocksDB whole.
//!
//! The order is what keeps the indexed position from getting ahead of its rows. Each ingestion is durable when it
//! returns, which was read in RocksDB 11.8 (`external_sst_file_ingestion_job.cc`, `version_set.cc`): the file is
//! synced once when it is finished and again under its new name, then the directory, then the manifest that names
//! it. So the position, ingested last, is in the manifest after its rows, and no flush can bring it in earlier:
//! neither rows nor position are ever in a memtable.
//!
//! A crash between two steps leaves rows without their position; the same part of the log is indexed again, and
//! the same keys get the same values. A file that was not handed over, or whose old name is still there, is
//! removed by the next opening.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};

use super::tuning::Shared;
use super::{failed, handle};
use crate::engine::{EngineError, Family, Run};
use crate::planted::{Planted, planted};

/// Where runs are written, in `derived/`: the same file system, so that a file is handed over by a link.
/// RocksDB passes over names that are not its own.
const DIRECTORY: &str = "runs";

/// Writes runs into one `derived/`. One thread at a time.
pub(crate) struct RunWriter {
    directory: PathBuf,
    /// How files are made, by family.
    files: [Options; Family::ALL.len()],
    hand_over: IngestExternalFileOptions,
}

/// What is done of a run: where a crash may come. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The family's file is complete, outside of the database.
    Written(Family),
    /// The family's rows can be read, and are durable. `Meta` comes last: the indexed position.
    Ingested(Family),
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
        let mut hand_over = IngestExternalFileOptions::default();
        hand_over.set_move_files(true);
        // Nobody takes snapshots of the database, and an iterator keeps the files that it began with.
        hand_over.set_snapshot_consistency(false);
        // Rows of a run are in no memtable; if they were, this is an error and not a flush with writers stopped.
        hand_over.set_allow_blocking_flush(false);
        Ok(RunWriter {
            directory,
            files,
            hand_over,
        })
    }

    /// Stores a run: rows first, their position last; durable on return. `done` is told of each step.
    pub(crate) fn store(
        &self,
        derived: &DB,
        run: &Run,
        mut done: impl FnMut(Step),
    ) -> Result<(), EngineError> {
        // RocksDB makes no empty file: a run without any command has none for them.
        let families = run.families().into_iter();
        let families = families.filter(|(_, rows)| rows.iter().next().is_some());
        if planted(Planted::PositionBeforeRuns) {
            self.store_position(derived, run, &mut done)?;
        }
        for (family, rows) in families.clone() {
            self.write(family, rows.iter())?;
            done(Step::Written(family));
        }
        for (family, _) in families {
            self.ingest(derived, family)?;
            done(Step::Ingested(family));
        }
        self.store_position(derived, run, &mut done)
    }

    fn store_position(
        &self,
        derived: &DB,
        run: &Run,
        done: &mut impl FnMut(Step),
    ) -> Result<(), EngineError> {
        let (key, value) = &run.indexed;
        self.write(Family::Meta, std::iter::once((&key[..], &value[..])))?;
        done(Step::Written(Family::Meta));
        self.ingest(derived, Family::Meta)?;
        done(Step::Ingested(Family::Meta));
        Ok(())
    }

    /// Makes the family's file; synced on return.
    fn write<'r>(
        &self,
        family: Family,
        rows: impl Iterator<Item = (&'r [u8], &'r [u8])>,
    ) -> Result<(), EngineError> {
        let path = self.path(family);
        // If RocksDB could not remove the old name, it is a second one of a file that is in use by now:
        // writing into it would destroy rows.
        remove(&path)?;
        let write = || {
            let mut file = SstFileWriter::create(&self.files[family.index()]);
            file.open(&path)?;
            for (key, value) in rows {
                file.put(key, value)?;
            }
            file.finish()
        };
        write().map_err(|error| failed("write a run", &error))
    }

    fn ingest(&self, derived: &DB, family: Family) -> Result<(), EngineError> {
        let family_handle = handle(derived, family);
        derived
            .ingest_external_file_cf_opts(family_handle, &self.hand_over, vec![self.path(family)])
            .map_err(|error| failed("ingest a run", &error))
    }

    fn path(&self, family: Family) -> PathBuf {
        self.directory.join(family.name()).with_extension("sst")
    }
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

fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EngineError::Failed {
            context: "remove the file of an earlier run",
            reason: format!("{}: {error}", path.display()).into(),
        }),
        _ => Ok(()),
    }
}
