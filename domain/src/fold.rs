use crate::decision::Reply;
use crate::{Aggregate, Decision};

/// Takes a decision into the state: what the runtime and the test kit both do.
///
/// Every event is given to `record` before it is applied, and none is applied before all that were decided with it
/// are recorded. So without [`Decision::then`] a failed `record` leaves the state as it was.
///
/// # Errors
/// The first error of `record`, and whether the state was changed before it: if so, the state must be thrown away.
pub fn fold<A: Aggregate, R, X>(
    state: &mut A,
    decision: Decision<A, R>,
    mut record: impl FnMut(&A::Event) -> Result<(), X>,
) -> Result<R, FoldFailed<X>> {
    let mut state_changed = false;
    let mut take = |state: &mut A, events: &[A::Event]| {
        events
            .iter()
            .try_for_each(&mut record)
            .map_err(|error| FoldFailed { error, state_changed })?;
        events.iter().for_each(|event| state.apply(event));
        state_changed |= !events.is_empty();
        Ok(())
    };
    take(state, &decision.events)?;
    for decide in decision.then {
        take(state, &decide(state))?;
    }
    Ok(match decision.reply {
        Reply::Known(reply) => reply,
        Reply::After(reply) => reply(state),
    })
}

/// Why [`fold`] stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct FoldFailed<X> {
    /// What recording an event failed with.
    pub error: X,
    /// Whether events were applied before it.
    pub state_changed: bool,
}
