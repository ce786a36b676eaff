//! The tail's hand-over to readers: what was acknowledged is found, wherever it is at that moment.

use super::*;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread;

const COMMITS: u64 = 4;
const READINGS: usize = 2;

/// A writer that waits for each of its commits, readers that look meanwhile, and the indexer.
fn look(options: StoreOptions, reading: fn(&House, &StreamId, u64)) {
    let house = House::new(options);
    let stream = stream("a");
    let acknowledged = Arc::new(AtomicU64::new(0));
    let readers = [0, 1].map(|_| {
        let (house, stream, acknowledged) = (Arc::clone(&house), stream.clone(), Arc::clone(&acknowledged));
        thread::spawn(move || {
            for _ in 0..READINGS {
                reading(&house, &stream, acknowledged.load(Ordering::SeqCst));
            }
        })
    });
    let writer = house.open(&stream).unwrap();
    for number in 1..=COMMITS {
        house.submit(&writer, number);
        assert!(is_durable(&house.fates.wait(number)));
        acknowledged.store(number, Ordering::SeqCst);
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(house.versions(&stream), COMMITS);
    house.store.close().unwrap();
}

#[test]
fn a_stream_is_read_whole() {
    explore("a stream is read whole", || {
        look(every_batch_a_run(), |house, stream, acknowledged| {
            let seen = house.versions(stream);
            assert!(seen >= acknowledged, "{seen} versions of {acknowledged}");
        });
    });
}

#[test]
fn a_command_is_found() {
    explore("a command is found", || {
        look(every_batch_a_run(), |house, stream, acknowledged| {
            for number in 1..=acknowledged {
                let found = house.store.find_command(stream, command(number)).unwrap();
                assert_eq!(found, Some(Version::new(number)));
            }
        });
    });
}

#[test]
fn the_log_is_read_whole() {
    explore("the log is read whole", || {
        look(every_batch_a_run(), |house, _, acknowledged| {
            let seen = offsets(&house.store);
            assert!(seen >= acknowledged, "{seen} offsets of {acknowledged}");
        });
    });
}

/// The tail takes one batch: the journal waits for the indexer, and is woken.
#[test]
fn the_tail_at_its_bound_lets_the_journal_go_on() {
    explore("the tail at its bound lets the journal go on", || {
        look(
            every_batch_a_run().tail_bytes_max(1),
            |house, stream, acknowledged| {
                let head = house.store.head(stream).unwrap().get();
                assert!(head >= acknowledged, "version {head} of {acknowledged}");
            },
        );
    });
}

/// Nothing is shown that the log does not hold by then (P2): a reader that sees a version finds it again after the plug was
/// pulled.
#[test]
fn what_was_read_is_durable() {
    explore("what was read is durable", || {
        let house = House::new(every_batch_a_run());
        let stream = stream("a");
        let writer = house.open(&stream).unwrap();
        let reader = {
            let (house, stream) = (Arc::clone(&house), stream.clone());
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..READINGS {
                    let seen = house.store.read_stream(&stream, Version::NONE, &mut |commit| {
                        last = commit.last_offset().get();
                        ControlFlow::Continue(())
                    });
                    seen.unwrap();
                }
                house.disk.crash();
                last
            })
        };
        (1..=COMMITS).for_each(|number| house.submit(&writer, number));
        let seen = reader.join().unwrap();
        drop(writer);
        let disk = house.disk.clone();
        (1..=COMMITS).for_each(|number| drop(house.fates.wait(number)));
        drop(house);
        let store = Store::on_memory(&disk, every_batch_a_run()).unwrap();
        let kept = offsets(&store);
        assert!(kept >= seen, "{seen} events were read, {kept} are kept");
        store.close().unwrap();
    });
}
