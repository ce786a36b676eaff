//! Bounds of what an operator's question may cost, with the reason beside each.

use dormouse_domain::limits::PAYLOAD_BYTES_MAX;

use super::AdminError;

/// Reads that may wait for the one thread that reads the past. A console asks a few at once; past this the answer is
/// [`AdminError::Busy`], so that impatient callers can't fill the memory with questions.
pub const READS_WAITING_MAX: usize = 64;
/// Events on one page: what a person looks through, and few enough to decode in milliseconds.
pub const EVENTS_PAGE_MAX: usize = 500;
/// A page of events ends with the one that brings it to this many bytes, of what is shown and metadata. So a page takes
/// at most this and one event more, whatever the events are.
pub const EVENTS_PAGE_BYTES_MAX: usize = 4 << 20;
/// Largest event that is shown as JSON; a larger one is shown raw. JSON takes up to four times the bytes of bincode for
/// a list of bytes.
pub const EVENT_JSON_BYTES_MAX: usize = 4 * PAYLOAD_BYTES_MAX;
/// Largest state that is shown. What is larger no browser shows either.
pub const STATE_JSON_BYTES_MAX: usize = 16 << 20;
/// Residents in one answer. More are not sorted out of what may be millions.
pub const RESIDENTS_MAX: usize = 1_000;

/// A number of items that was asked for, if it is within its bound.
pub(super) fn checked(field: &'static str, value_size: usize, limit: usize) -> Result<usize, AdminError> {
    if (1..=limit).contains(&value_size) {
        Ok(value_size)
    } else {
        Err(AdminError::Invalid {
            field,
            value_size,
            limit,
        })
    }
}
