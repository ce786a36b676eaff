//! The names of the command types handled so far. A commit holds only a hash of its command's name, and a runtime is not told
//! which commands its aggregates handle: it learns them when it meets them.

use std::collections::BTreeMap;

use dormouse_domain::CommandFingerprint;
use parking_lot::Mutex;

/// Bounded by the program's command types.
#[derive(Debug, Default)]
pub(crate) struct CommandNames(Mutex<BTreeMap<(&'static str, u32), &'static str>>);

impl CommandNames {
    /// Called once a type and arbiter.
    pub(crate) fn learn(&self, aggregate: &'static str, command: &'static str) {
        let key = (aggregate, CommandFingerprint::hash_of(command));
        self.0.lock().insert(key, command);
    }

    /// The name with this hash, of a command of this aggregate.
    pub(crate) fn of(&self, aggregate: &'static str, hash: u32) -> Option<&'static str> {
        self.0.lock().get(&(aggregate, hash)).copied()
    }
}
