//! What a caller is told beyond the reply.

use dormouse_domain::{Aggregate, Command, CommandError, Position, Version};

use crate::call::{Answer, Failure};
use crate::spans::Ended;

/// A reply with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt<R> {
    /// The command's reply.
    pub reply: R,
    /// The aggregate's version that the reply tells of.
    pub version: Version,
    /// Where the command's last event is in the log: await it on a projection to read your write. `None` for a command
    /// that stored nothing.
    pub position: Option<Position>,
    /// The command had taken effect before; this is its first reply.
    pub replayed: bool,
}

/// How a command `C` of aggregate `A` ends.
pub(crate) type Outcome<A, C> = Result<Receipt<<C as Command>::Reply>, CommandError<<A as Aggregate>::Error>>;

impl<R: Send + 'static, E: Send + 'static> Answer for Result<Receipt<R>, CommandError<E>> {
    fn failed(failure: Failure) -> Self {
        Err(failure.into())
    }

    fn settle(&mut self, at: Position) {
        if let Ok(receipt) = self {
            receipt.position = Some(at);
        }
    }

    fn ended(&self) -> Option<Ended> {
        Some(match self {
            Ok(receipt) => Ended {
                outcome: if receipt.replayed { "replayed" } else { "done" },
                reason: None,
                version: Some(receipt.version),
                position: receipt.position,
            },
            Err(error) => Ended::as_error(error),
        })
    }
}
