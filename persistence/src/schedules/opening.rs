//! One writer a stream (P7): a writer goes with commits still on their way, and the next one finds all of them.

use super::*;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;

const TURNS: u64 = 2;

/// Waits while another holds it, or commits of it are on their way.
fn open_when_free(house: &House, stream: &StreamId) -> StreamWriter {
    loop {
        let changes = house.fates.changes();
        match house.open(stream) {
            Ok(writer) => return writer,
            Err(StoreError::StreamHeld { .. }) => house.fates.wait_for_more_than(changes),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn one_writer_follows_another() {
    explore("one writer follows another", || {
        let house = House::new(every_batch_a_run());
        let held = Arc::new(AtomicBool::new(false));
        let writers = [0, 1].map(|client: u64| {
            let (house, held) = (Arc::clone(&house), Arc::clone(&held));
            thread::spawn(move || {
                for turn in 0..TURNS {
                    let writer = open_when_free(&house, &stream("a"));
                    assert!(!held.swap(true, Ordering::SeqCst), "two writers of one stream");
                    house.submit(&writer, client * TURNS + turn);
                    held.store(false, Ordering::SeqCst);
                    // not settled yet, more often than not
                    drop(writer);
                    house.fates.dropped();
                }
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        for number in 0..2 * TURNS {
            let settled = house.fates.wait(number);
            assert!(is_durable(&settled), "{settled:?}");
        }
        assert_eq!(house.versions(&stream("a")), 2 * TURNS);
        house.store.close().unwrap();
    });
}
