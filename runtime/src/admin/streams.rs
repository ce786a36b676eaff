//! Which streams are listed.

use dormouse_domain::{AggregateId, AggregateType};
use dormouse_persistence::Store;

use super::AdminError;
use super::limits::checked;

/// Which streams are asked for.
#[derive(Debug, Clone)]
pub struct StreamsWanted {
    /// Only of this type.
    pub aggregate_type: AggregateType,
    /// Only those whose ids begin so. Empty: all.
    pub id_prefix: String,
    /// Only those after this id: the last one of the page before.
    pub after: Option<AggregateId>,
    /// How many: 1 to [`Store::STREAMS_PAGE_MAX`].
    pub limit: usize,
}

impl StreamsWanted {
    /// The first 50 streams of a type.
    #[must_use]
    pub fn of(aggregate_type: AggregateType) -> Self {
        Self {
            aggregate_type,
            id_prefix: String::new(),
            after: None,
            limit: 50,
        }
    }

    pub(super) fn checked(&self) -> Result<&Self, AdminError> {
        checked("limit", self.limit, Store::STREAMS_PAGE_MAX)?;
        if !self.id_prefix.is_empty() {
            checked("id_prefix in bytes", self.id_prefix.len(), AggregateId::BYTES_MAX)?;
        }
        Ok(self)
    }
}
