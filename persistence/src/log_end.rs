//! Where the log ends.

use dormouse_domain::{Offset, Timestamp};

use crate::format::segment::Header;

/// Who writes the log, in a cluster. A single node's log has one writer.
const EPOCH: u64 = 1;

/// The log's last segment, as the next one must follow it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogEnd {
    pub(crate) epoch: u64,
    pub(crate) batch: u64,
    pub(crate) last: Offset,
    pub(crate) hash: u128,
    pub(crate) time: Timestamp,
}

impl LogEnd {
    /// Of an empty log.
    pub(crate) const EMPTY: LogEnd = LogEnd {
        epoch: EPOCH,
        batch: 0,
        last: Offset::NONE,
        hash: 0,
        time: Timestamp::EPOCH,
    };

    pub(crate) fn of(header: &Header, hash: u128) -> LogEnd {
        LogEnd {
            epoch: header.epoch,
            batch: header.batch,
            last: header.last(),
            hash,
            time: header.time,
        }
    }

    pub(crate) fn offset(&self) -> Offset {
        self.last
    }
}
