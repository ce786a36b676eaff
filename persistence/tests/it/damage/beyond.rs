//! Damage of commits behind the last watermark that was due, of which something was derived already.

use dormouse_domain::{Codec, Timestamp, Version};
use dormouse_persistence::{Snapshot, StoreError};

use super::wal::record_starts;
use super::{edit, newest_wal, refused};
use crate::client::{Client, stream};
use crate::disk::Directory;
use crate::suite::{Place, indexes_never};

/// It would be taken for a state of whatever gets its version and its offset next.
#[test]
fn no_snapshot_outlives_its_last_event() {
    let directory = Directory::new();
    let store = directory
        .open(indexes_never().watermark_every_ms(3_600_000))
        .unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    for text in ["1", "2", "3", "lost"] {
        client.durable(&writer, &[text]);
    }
    let snapshot = Snapshot {
        version: Version::new(4),
        offset: store.durable(),
        fingerprint: 1,
        codec: Codec::Json,
        newest_command: None,
        time: Timestamp::from_micros(1),
        payload: b"with what was lost".to_vec(),
    };
    store.put_snapshot(&stream("a"), &snapshot).unwrap();
    drop((writer, client, store)); // a crash
    edit(&newest_wal(&directory), |wal| {
        let starts = record_starts(wal);
        wal.truncate(starts[starts.len() - 2]);
    });
    let error = refused(&directory);
    assert!(
        matches!(error, StoreError::LogShorterThanWatermark { .. }),
        "{error}"
    );
}
