use crate::{AggregateId, CommandId, Metadata, Timestamp, Version};

/// What a handler may know beside the state and the command. Everything in it is fixed before the handler runs, so
/// that the same inputs give the same decision.
#[derive(Debug, Clone, Copy)]
pub struct CommandContext<'a> {
    id: &'a AggregateId,
    version: Version,
    now: Timestamp,
    command_id: Option<CommandId>,
    metadata: &'a Metadata,
}

impl<'a> CommandContext<'a> {
    /// Puts the parts together; the runtime and the test kit do.
    #[must_use]
    pub const fn new(
        id: &'a AggregateId,
        version: Version,
        now: Timestamp,
        command_id: Option<CommandId>,
        metadata: &'a Metadata,
    ) -> Self {
        Self {
            id,
            version,
            now,
            command_id,
            metadata,
        }
    }

    /// The aggregate's id.
    #[must_use]
    pub const fn id(&self) -> &'a AggregateId {
        self.id
    }

    /// The version of the state that decides.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the aggregate has no event yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.version == Version::NONE
    }

    /// The time at which the command is handled; the only clock a handler reads.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The id that makes the command's retries take effect once, if the caller gave one.
    #[must_use]
    pub const fn command_id(&self) -> Option<CommandId> {
        self.command_id
    }

    /// What the caller sent along: correlation, causation, trace, headers.
    #[must_use]
    pub const fn metadata(&self) -> &'a Metadata {
        self.metadata
    }
}
