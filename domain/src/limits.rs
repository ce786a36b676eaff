//! Every bound of the domain by name, with what happens at it.
//!
//! A value over its bound is refused before anything is stored, with an error that names the field, its size and
//! the bound. None of them can be raised at run time: stored data must stay readable by every later build.

use std::time::Duration;

/// Longest aggregate id, in bytes of UTF-8.
pub const AGGREGATE_ID_BYTES_MAX: usize = 512;

/// Longest aggregate type ([`Aggregate::TYPE`](crate::Aggregate::TYPE)), in bytes of UTF-8.
pub const AGGREGATE_TYPE_BYTES_MAX: usize = 64;

/// Longest stored name of an event variant, in bytes of UTF-8; the `Event` derive refuses a longer one.
pub const EVENT_NAME_BYTES_MAX: usize = 128;

/// Largest encoded event, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// Largest commit: all events of one command with its metadata and reply, in bytes.
pub const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most events that one command may store.
pub const EVENTS_PER_COMMIT_MAX: usize = 10_000;

/// Largest encoded reply, in bytes. It is stored with the commit, so that a retry gets the first reply.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;

/// How far ahead of this machine's clock a time-ordered command id may be.
pub const COMMAND_ID_FUTURE_MAX: Duration = Duration::from_secs(5 * 60);

/// Most headers in one [`Metadata`](crate::Metadata).
pub const METADATA_HEADERS_MAX: usize = 32;

/// Longest header key, in bytes of UTF-8.
pub const METADATA_KEY_BYTES_MAX: usize = 128;

/// Longest header value, in bytes of UTF-8.
pub const METADATA_VALUE_BYTES_MAX: usize = 1024;

/// Longest `tracestate`, in bytes (the W3C recommendation asks for at least 512).
pub const TRACE_STATE_BYTES_MAX: usize = 512;

/// Largest encoded metadata of one command, in bytes.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;

/// Deepest nesting of values that bincode decoding follows, so that hostile bytes can't overflow the stack.
/// JSON has the same bound.
pub const DECODE_DEPTH_MAX: usize = 128;

// The largest event, reply and metadata fit into one commit together.
const _: () = assert!(PAYLOAD_BYTES_MAX + REPLY_BYTES_MAX + METADATA_BYTES_MAX <= COMMIT_BYTES_MAX);
// The widths of the length fields in the metadata's layout.
const _: () = assert!(METADATA_HEADERS_MAX <= u8::MAX as usize);
const _: () = assert!(METADATA_KEY_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(METADATA_VALUE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(TRACE_STATE_BYTES_MAX <= u16::MAX as usize);
// One header of the largest size and the trace state always fit.
const _: () = assert!(
    METADATA_KEY_BYTES_MAX + METADATA_VALUE_BYTES_MAX + TRACE_STATE_BYTES_MAX + 128 <= METADATA_BYTES_MAX
);
