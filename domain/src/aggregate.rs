use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Codec, Command, CommandContext, Decision, Event};

/// A consistency boundary with an id: its state is the fold of its events, and it handles one command at a time.
///
/// `Default` is the state before the first event. The state is serialised for snapshots only; a snapshot that doesn't
/// fit the type any more is ignored, and the events are folded again.
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send + 'static {
    /// The name under which streams of this type are stored: 1 to 64 bytes without control characters. Never change
    /// it once something is stored.
    const TYPE: &'static str;
    /// Raise it when [`apply`](Self::apply) comes to another state from the same events: snapshots of other versions
    /// are ignored. A change of the fields is noticed without it.
    const STATE_VERSION: u32 = 1;
    /// How events, replies and snapshots of this type are written. What is stored is read with the codec its record
    /// names, so this may change at any time.
    const CODEC: Codec = Codec::Bincode;

    /// The facts of this aggregate.
    type Event: Event;
    /// Why it refuses commands. Serialisable, because refusals travel to other nodes.
    type Error: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Takes a fact into the state. It happened: there is nothing to refuse, and nothing else to look at.
    fn apply(&mut self, event: &Self::Event);

    /// The bytes that the state holds on the heap, for the runtime's memory budget. Asked after each activation and
    /// now and then, so an estimate that costs little is best. `None`: the runtime takes the size of the encoded state.
    fn weight_bytes(&self) -> Option<usize> {
        None
    }
}

/// How an aggregate decides on one type of command.
///
/// Pure and synchronous: what it needs from elsewhere is looked up first and travels in the command.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{C}`",
    label = "no handler for this command",
    note = "write `impl Handle<{C}> for {Self}`"
)]
pub trait Handle<C: Command>: Aggregate {
    /// Decides what happens, or refuses. Nothing is applied here: the decision's events are, once they are recorded.
    fn handle(&self, command: C, ctx: &CommandContext<'_>) -> Decided<Self, C>;
}

/// What [`Handle::handle`] returns: a [`Decision`] or the domain's refusal.
pub type Decided<A, C> = Result<Decision<A, <C as Command>::Reply>, <A as Aggregate>::Error>;

/// The [`Aggregate::Error`] of an aggregate that refuses no command. It has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Never {}
