//! Whether the service can take commands, and if not, why.

use dormouse_persistence::OpenProgress;
use dormouse_runtime::{Dormouse, Readiness as runtime};
use serde::Serialize;
use utoipa::ToSchema;

use crate::attached::Attached;

/// Where the runtime stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// The store is being opened: nothing is known yet.
    Opening,
    /// Opening reads the log: `progress` tells how far it has come.
    Recovering,
    /// Commands are taken.
    Ready,
    /// The store stopped after a failure: commands are answered *not done*, what was read stays readable.
    Stopped,
    /// It takes no more commands and finishes what is in flight.
    Draining,
    /// As many commands are in flight as are allowed: more are answered *not done*.
    Overloaded,
    /// It was shut down.
    ShutDown,
}

/// Whether commands are taken, and if not, why.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Readiness {
    pub(crate) status: Status,
    /// A sentence for people.
    pub(crate) reason: String,
    /// While recovering.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) progress: Option<Recovering>,
}

/// How far reading the log has come, in offsets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Recovering {
    /// The offset reading began at.
    pub(crate) from: u64,
    /// The last offset read.
    pub(crate) at: u64,
    /// The log's last offset.
    pub(crate) end: u64,
    /// From 0 to 1.
    pub(crate) fraction: f64,
}

impl Readiness {
    pub(crate) fn of(attached: &Attached) -> Self {
        match (attached.runtime(), attached.opening()) {
            (Some(runtime), _) => Self::of_runtime(&runtime),
            (None, Some(progress)) => Self::recovering(progress),
            (None, None) => Self::is(Status::Opening, "the store is being opened"),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.status == Status::Ready
    }

    fn is(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            progress: None,
        }
    }

    fn of_runtime(runtime: &Dormouse) -> Self {
        match runtime.readiness() {
            runtime::Ready => Self::is(Status::Ready, "commands are taken"),
            runtime::Stopped { reason } => Self::is(Status::Stopped, &*reason),
            runtime::Draining => Self::is(
                Status::Draining,
                "no more commands are taken: a restart takes them again",
            ),
            runtime::Overloaded { in_flight, limit } => Self::is(
                Status::Overloaded,
                format!("{in_flight} commands and queries are in flight, {limit} may be"),
            ),
            runtime::ShutDown => Self::is(Status::ShutDown, "the runtime was shut down"),
            other => Self::is(Status::Stopped, format!("{other:?}")),
        }
    }

    fn recovering(progress: OpenProgress) -> Self {
        let (from, at, end) = (progress.from.get(), progress.at.get(), progress.end.get());
        let (done, all) = (at.saturating_sub(from), end.saturating_sub(from));
        let fraction = if all == 0 {
            1.0
        } else {
            (done as f64 / all as f64).min(1.0)
        };
        Self {
            progress: Some(Recovering {
                from,
                at,
                end,
                fraction,
            }),
            ..Self::is(
                Status::Recovering,
                format!("opening reads the log: {at} of {end}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use dormouse_domain::Offset;

    use super::*;

    #[test]
    fn before_the_runtime_it_is_opening_then_recovering() {
        let attached = Attached::new(String::new(), None);
        assert_eq!(Readiness::of(&attached).status, Status::Opening);
        let progress = |at| OpenProgress {
            from: Offset::new(100),
            at: Offset::new(at),
            end: Offset::new(300),
        };
        attached.progressed(progress(150));
        let readiness = Readiness::of(&attached);
        assert_eq!(readiness.status, Status::Recovering);
        assert_eq!(readiness.progress.map(|progress| progress.fraction), Some(0.25));
        attached.progressed(progress(300));
        let progress = Readiness::of(&attached).progress;
        assert_eq!(progress.map(|progress| progress.fraction), Some(1.0));
    }
}
