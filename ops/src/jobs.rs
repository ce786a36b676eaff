//! Work that takes longer than a request: each on a thread of its own, followed by its id.

mod job;
#[cfg(test)]
mod tests;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

pub(crate) use job::{Job, JobId, JobState, Kind, Progress};
pub(crate) use work::Work;

/// Jobs that are kept. The oldest that is over is forgotten for a new one; at most one of a kind runs, so there is always
/// one.
const KEPT_MAX: usize = 50;

/// All jobs of one ops server, newest last.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<Known>);

#[derive(Default)]
struct Known {
    started: u64,
    jobs: VecDeque<Arc<Job>>,
}

/// Why a job was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    #[error("job {0} does that already")]
    Runs(JobId),
    #[error("no thread: {0}")]
    NoThread(std::io::Error),
}

impl Jobs {
    /// Starts a job, unless one of its kind runs.
    pub(crate) fn start(&self, work: Work, who: &str) -> Result<Arc<Job>, NotStarted> {
        let mut known = self.0.lock();
        let kind = work.kind();
        if let Some(job) = known.jobs.iter().find(|job| job.kind == kind && job.is_running()) {
            return Err(NotStarted::Runs(job.id));
        }
        let job = Arc::new(Job::new(JobId(known.started + 1), kind, work.what(), who));
        let ours = Arc::clone(&job);
        thread::Builder::new()
            .name(format!("dormouse-{kind}"))
            .spawn(move || ours.run(|job| work.run(job)))
            .map_err(NotStarted::NoThread)?;
        known.started += 1;
        if known.jobs.len() >= KEPT_MAX
            && let Some(oldest) = known.jobs.iter().position(|job| !job.is_running())
        {
            known.jobs.remove(oldest);
        }
        known.jobs.push_back(Arc::clone(&job));
        Ok(job)
    }

    /// Newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        self.0.lock().jobs.iter().rev().cloned().collect()
    }

    pub(crate) fn find(&self, id: JobId) -> Option<Arc<Job>> {
        self.0.lock().jobs.iter().find(|job| job.id == id).cloned()
    }
}
