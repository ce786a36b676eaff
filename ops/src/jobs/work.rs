//! What jobs do.

use std::path::{Path, PathBuf};

use dormouse_persistence::StoreError;
use dormouse_runtime::Dormouse;
use tokio::runtime;

use crate::format;
use crate::jobs::job::{Ended, Job, Kind, Progress};

#[cfg(test)]
type TestWork = Box<dyn FnOnce(&Job) -> Result<String, Ended> + Send>;

/// What there is to do.
pub(crate) enum Work {
    /// Copies the store to a directory that is not there yet.
    Checkpoint { runtime: Dormouse, directory: PathBuf },
    /// Merges the runs of the index.
    Compact { runtime: Dormouse },
    /// Takes no more commands, and passivates all.
    Drain { runtime: Dormouse },
    /// What a test does.
    #[cfg(test)]
    Test(Kind, TestWork),
}

impl Work {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Checkpoint { .. } => Kind::Checkpoint,
            Self::Compact { .. } => Kind::Compact,
            Self::Drain { .. } => Kind::Drain,
            #[cfg(test)]
            Self::Test(kind, _) => *kind,
        }
    }

    pub(super) fn what(&self) -> String {
        match self {
            Self::Checkpoint { directory, .. } => format!("a copy of the store in {}", directory.display()),
            Self::Compact { .. } => "the index's runs merged".into(),
            Self::Drain { .. } => "no more commands, all aggregates passivated".into(),
            #[cfg(test)]
            Self::Test(..) => "a test".into(),
        }
    }

    /// Blocking.
    pub(super) fn run(self, job: &Job) -> Result<String, Ended> {
        match self {
            Self::Checkpoint { runtime, directory } => checkpoint(&runtime, &directory, job),
            Self::Compact { runtime } => compact(&runtime, job),
            Self::Drain { runtime } => drain(&runtime),
            #[cfg(test)]
            Self::Test(_, test) => test(job),
        }
    }
}

fn checkpoint(runtime: &Dormouse, directory: &Path, job: &Job) -> Result<String, Ended> {
    let copied = runtime.store().checkpoint(directory, &mut |progress| {
        job.progressed(Progress {
            step: format!("{:?}", progress.step).to_lowercase(),
            bytes: progress.bytes,
            bytes_total: progress.bytes_total,
        })
    });
    let copied = copied.map_err(|error| ended(&error))?;
    Ok(format!(
        "all up to offset {}: {} in {}, {}",
        format::count(copied.durable.get()),
        format::bytes(copied.bytes),
        format::plural(copied.files, "file", "files"),
        if copied.is_linked { "linked" } else { "copied" }
    ))
}

fn compact(runtime: &Dormouse, job: &Job) -> Result<String, Ended> {
    let compacted = runtime.store().compact(&mut |progress| {
        job.progressed(Progress {
            step: format!(
                "{}, {} of {}",
                progress.family, progress.number, progress.families
            ),
            bytes: progress.bytes,
            bytes_total: progress.bytes_total,
        })
    });
    let compacted = compacted.map_err(|error| ended(&error))?;
    if compacted.is_cancelled {
        return Err(Ended::Cancelled);
    }
    Ok(format!(
        "{} became {}; sorted runs of the streams: {} before, {} now",
        format::bytes(compacted.bytes_before),
        format::bytes(compacted.bytes_after),
        compacted.stream_runs_before,
        compacted.stream_runs_after
    ))
}

fn drain(dormouse: &Dormouse) -> Result<String, Ended> {
    let failed = |error: &dyn std::error::Error| Ended::Failed(error.to_string());
    let here = runtime::Builder::new_current_thread().enable_time().build();
    let here = here.map_err(|error| failed(&error))?;
    here.block_on(dormouse.drain()).map_err(|error| failed(&error))?;
    Ok("nothing is in flight, nothing in memory; a restart takes commands again".into())
}

/// What fails after it was asked to give up has failed all the same.
fn ended(error: &StoreError) -> Ended {
    match error {
        StoreError::Cancelled { .. } => Ended::Cancelled,
        error => Ended::Failed(error.to_string()),
    }
}
