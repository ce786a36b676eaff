mod layout;

use std::sync::Arc;

use uuid::Uuid;

use crate::TraceContext;
use crate::limits::{
    METADATA_BYTES_MAX, METADATA_HEADERS_MAX, METADATA_KEY_BYTES_MAX, METADATA_VALUE_BYTES_MAX,
    TRACE_STATE_BYTES_MAX,
};

/// What travels with a command and is stored with its events, beside the domain: where it came from, and headers of
/// the caller's own. Empty by default, and then it takes no byte.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The conversation that the command belongs to.
    pub correlation: Option<Uuid>,
    /// The message that caused the command.
    pub causation: Option<Uuid>,
    /// The trace in which it was sent.
    pub trace: Option<TraceContext>,
    /// The caller's own: at most 32, keys of 1 to 128 bytes without control characters, values of at most 1,024 bytes.
    /// Order and repetitions are kept.
    pub headers: Vec<(String, String)>,
}

impl Metadata {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            correlation,
            causation,
            trace,
            headers,
        } = self;
        correlation.is_none() && causation.is_none() && trace.is_none() && headers.is_empty()
    }

    /// Checks every bound; done before a command is handled.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn validate(&self) -> Result<(), InvalidMetadata> {
        at_most(self.headers.len(), METADATA_HEADERS_MAX).map_err(|headers| {
            InvalidMetadata::TooManyHeaders {
                headers,
                limit: METADATA_HEADERS_MAX,
            }
        })?;
        for (index, (key, value)) in self.headers.iter().enumerate() {
            check_header(index, key, value)?;
        }
        let state_len = self
            .trace
            .as_ref()
            .and_then(|trace| trace.state.as_ref())
            .map_or(0, String::len);
        at_most(state_len, TRACE_STATE_BYTES_MAX).map_err(|bytes| InvalidMetadata::TraceStateTooLong {
            bytes,
            limit: TRACE_STATE_BYTES_MAX,
        })?;
        at_most(self.encoded_len(), METADATA_BYTES_MAX).map_err(|bytes| InvalidMetadata::TooLarge {
            bytes,
            limit: METADATA_BYTES_MAX,
        })
    }
}

fn check_header(index: usize, key: &str, value: &str) -> Result<(), InvalidMetadata> {
    if key.is_empty() {
        return Err(InvalidMetadata::EmptyKey { index });
    }
    at_most(key.len(), METADATA_KEY_BYTES_MAX).map_err(|bytes| InvalidMetadata::KeyTooLong {
        index,
        bytes,
        limit: METADATA_KEY_BYTES_MAX,
    })?;
    if let Some(at) = key.find(char::is_control) {
        return Err(InvalidMetadata::KeyControlCharacter { index, at });
    }
    at_most(value.len(), METADATA_VALUE_BYTES_MAX).map_err(|bytes| InvalidMetadata::ValueTooLong {
        key: key.into(),
        bytes,
        limit: METADATA_VALUE_BYTES_MAX,
    })
}

fn at_most(bytes: usize, limit: usize) -> Result<(), usize> {
    if bytes <= limit { Ok(()) } else { Err(bytes) }
}

/// Metadata beyond its bounds. The command was not handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// More headers than allowed.
    #[error("metadata has {headers} headers; the limit is {limit}")]
    TooManyHeaders {
        /// How many there are.
        headers: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A header without a key.
    #[error("the key of metadata header {index} is empty; it takes 1 to {METADATA_KEY_BYTES_MAX} bytes")]
    EmptyKey {
        /// Which header, from 0.
        index: usize,
    },
    /// A key that is too long.
    #[error("the key of metadata header {index} has {bytes} bytes; the limit is {limit}")]
    KeyTooLong {
        /// Which header, from 0.
        index: usize,
        /// The key's bytes.
        bytes: usize,
        /// The bytes it may have.
        limit: usize,
    },
    /// A key with a control character.
    #[error(
        "the key of metadata header {index} has a control character at byte {at}; remove it or encode it"
    )]
    KeyControlCharacter {
        /// Which header, from 0.
        index: usize,
        /// Where in the key, in bytes from 0.
        at: usize,
    },
    /// A value that is too long.
    #[error("the value of metadata header {key:?} has {bytes} bytes; the limit is {limit}")]
    ValueTooLong {
        /// The header's key.
        key: Arc<str>,
        /// The value's bytes.
        bytes: usize,
        /// The bytes it may have.
        limit: usize,
    },
    /// A `tracestate` that is too long.
    #[error("the trace state has {bytes} bytes; the limit is {limit}")]
    TraceStateTooLong {
        /// Its bytes.
        bytes: usize,
        /// The bytes it may have.
        limit: usize,
    },
    /// Each part is within its bounds, but together they are too large.
    #[error("metadata has {bytes} bytes when encoded; the limit is {limit}")]
    TooLarge {
        /// The bytes it takes.
        bytes: usize,
        /// The bytes it may take.
        limit: usize,
    },
}
