//! One job: what it does, how far it has come, how it ended.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use dormouse_domain::Timestamp;
use parking_lot::Mutex;

/// Counts from 1, anew with each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobId(pub(crate) u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Checkpoint,
    Compact,
    Drain,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Compact => "compact",
            Self::Drain => "drain",
        }
    }

    /// A drained runtime takes commands only after a restart: there is no way back.
    const fn can_be_cancelled(self) -> bool {
        !matches!(self, Self::Drain)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a job has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What it does at the moment.
    pub(crate) step: String,
    /// Bytes done in this step.
    pub(crate) bytes: u64,
    /// Out of so many; 0 where that is not known.
    pub(crate) bytes_total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    /// It did what was asked for; a sentence says what.
    Done(String),
    /// It did not; a sentence says why.
    Failed(String),
    Cancelled,
}

impl JobState {
    /// In a word, and in a sentence if there is one.
    fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Running => ("running", ""),
            Self::Done(what) => ("done", what),
            Self::Failed(why) => ("failed", why),
            Self::Cancelled => ("cancelled", ""),
        }
    }
}

/// Why a job ended before it was done.
pub(crate) enum Ended {
    Cancelled,
    Failed(String),
}

pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) kind: Kind,
    /// What it was asked to do, in a sentence.
    pub(crate) what: String,
    /// Who asked.
    pub(crate) who: String,
    pub(crate) started: Timestamp,
    began: Instant,
    cancelled: AtomicBool,
    inner: Mutex<Inner>,
}

struct Inner {
    state: JobState,
    progress: Progress,
    /// Once it is over.
    took: Option<Duration>,
}

impl Job {
    pub(super) fn new(id: JobId, kind: Kind, what: String, who: &str) -> Self {
        Self {
            id,
            kind,
            what,
            who: who.into(),
            started: SystemTime::now().into(),
            began: Instant::now(),
            cancelled: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                state: JobState::Running,
                progress: Progress::default(),
                took: None,
            }),
        }
    }

    /// Does the work on this thread. A panic in it is a failure like any other.
    pub(super) fn run(&self, work: impl FnOnce(&Self) -> Result<String, Ended>) {
        let ended = catch_unwind(AssertUnwindSafe(|| work(self)))
            .unwrap_or_else(|_| Err(Ended::Failed("it panicked: the process's log says where".into())));
        let state = match ended {
            Ok(done) => JobState::Done(done),
            Err(Ended::Cancelled) => JobState::Cancelled,
            Err(Ended::Failed(reason)) => JobState::Failed(reason),
        };
        let took = self.began.elapsed();
        let Self {
            id, kind, what, who, ..
        } = self;
        let (outcome, told) = state.told();
        tracing::info!(target: "dormouse::audit", %id, %kind, what, who, outcome, told, ?took, "job ended");
        let mut inner = self.inner.lock();
        inner.state = state;
        inner.took = Some(took);
    }

    /// Told by the work now and then; `Break` asks it to give up.
    pub(super) fn progressed(&self, progress: Progress) -> ControlFlow<()> {
        self.inner.lock().progress = progress;
        if self.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Asks it to give up at its next step. False if its kind can't.
    pub(crate) fn cancel(&self) -> bool {
        if self.kind.can_be_cancelled() {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        self.kind.can_be_cancelled()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.inner.lock().state == JobState::Running
    }

    pub(crate) fn state(&self) -> JobState {
        self.inner.lock().state.clone()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.inner.lock().progress.clone()
    }

    /// So far, or in all.
    pub(crate) fn took(&self) -> Duration {
        let took = self.inner.lock().took;
        took.unwrap_or_else(|| self.began.elapsed())
    }
}
