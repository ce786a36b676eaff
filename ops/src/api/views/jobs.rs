//! Jobs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::{Job, JobState, Progress};

/// The jobs that are kept, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Jobs {
    pub(crate) jobs: Vec<JobView>,
}

/// Work that takes longer than a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    /// Counts from 1, anew with each process.
    pub(crate) id: u64,
    /// `checkpoint`, `compact` or `drain`.
    pub(crate) kind: &'static str,
    /// What it was asked to do.
    pub(crate) what: String,
    /// Who asked.
    pub(crate) who: String,
    pub(crate) status: JobStatus,
    /// When it began: RFC 3339.
    pub(crate) started: String,
    /// How long it has taken, or took.
    pub(crate) seconds: f64,
    /// While it runs, once it has told any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) progress: Option<ProgressView>,
    /// Once it is over: what it did, or why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) outcome: Option<String>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobStatus {
    Running,
    /// It was asked to give up, and will at its next step.
    Cancelling,
    Done,
    Failed,
    Cancelled,
}

/// How far a job has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressView {
    /// What it does at the moment.
    pub(crate) step: String,
    /// Bytes done in this step.
    pub(crate) bytes: u64,
    /// Out of so many; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) bytes_total: Option<u64>,
}

impl JobView {
    pub(crate) fn of(job: &Job) -> Self {
        let (status, outcome) = match job.state() {
            JobState::Running if job.is_cancelled() => (JobStatus::Cancelling, None),
            JobState::Running => (JobStatus::Running, None),
            JobState::Done(done) => (JobStatus::Done, Some(done)),
            JobState::Failed(reason) => (JobStatus::Failed, Some(reason)),
            JobState::Cancelled => (JobStatus::Cancelled, Some("it was cancelled".into())),
        };
        let progress =
            Some(job.progress()).filter(|progress| outcome.is_none() && *progress != Progress::default());
        Self {
            id: job.id.0,
            kind: job.kind.name(),
            what: job.what.clone(),
            who: job.who.clone(),
            status,
            started: job.started.to_string(),
            seconds: job.took().as_secs_f64(),
            progress: progress.map(|progress| ProgressView {
                step: progress.step,
                bytes: progress.bytes,
                bytes_total: Some(progress.bytes_total).filter(|total| *total > 0),
            }),
            outcome,
        }
    }
}
