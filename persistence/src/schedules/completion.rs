//! The journal's completion: each commit is settled once and in order, and whoever waits is woken.

use shuttle::future::block_on;

use super::*;
use crate::announcer::Announcer;
use crate::engine::faulty::FaultyDisk;
use crate::engine::memory::AppendFault;
use crate::follower::LogFollower;
use crate::settlement::NotCommitted;
use crate::sync::atomic::Ordering;
use crate::sync::thread;
use dormouse_domain::Offset;

const COMMITS: u64 = 3;

/// Clients that write `COMMITS` each to a stream of their own, waiting for space before each.
fn clients(house: &Arc<House>) -> Vec<thread::JoinHandle<()>> {
    let client = |client: u64| {
        let house = Arc::clone(house);
        thread::spawn(move || {
            let Ok(writer) = house.open(&stream(&client.to_string())) else {
                return;
            };
            let numbers = client * COMMITS + 1..=(client + 1) * COMMITS;
            for number in numbers.clone() {
                block_on(house.store.space());
                house.submit(&writer, number);
            }
            numbers.for_each(|number| drop(house.fates.wait(number)));
        })
    };
    (0..2).map(client).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// What was settled: each once, and what was durable comes before what was not.
fn durable(house: &House) -> u64 {
    let told = house.fates.told.lock();
    let settled = told.by_key.values();
    assert!(settled.clone().all(|fates| fates.len() == 1));
    settled.filter(|fates| is_durable(&fates[0].settlement)).count() as u64
}

#[test]
fn whoever_waits_for_space_is_woken() {
    explore("whoever waits for space is woken", || {
        let house = House::new(every_batch_a_run().queue_commits_max(1));
        join(clients(&house));
        assert_eq!(durable(&house), 2 * COMMITS);
        assert_eq!(offsets(&house.store), 2 * COMMITS);
        house.store.close().unwrap();
    });
}

/// Closed meanwhile: what is queued is written, what comes later is not done, and all are told.
#[test]
fn a_store_that_closes_settles_all() {
    explore("a store that closes settles all", || {
        let house = House::new(every_batch_a_run().queue_commits_max(2));
        let clients = clients(&house);
        house.store.close().unwrap();
        join(clients);
        let durable = durable(&house);
        let store = Store::on_memory(&house.disk, every_batch_a_run()).unwrap();
        assert_eq!(offsets(&store), durable, "closed in order, nothing is unknown");
        store.close().unwrap();
    });
}

/// An append fails after the segment was written: unknown, then nothing more is done, until the store is reopened.
#[test]
fn a_failed_append_settles_all() {
    explore("a failed append settles all", || {
        let house = House::new(every_batch_a_run().queue_commits_max(1));
        house.disk.fail_append(AppendFault::Written);
        let clients = clients(&house);
        join(clients);
        let mut unknown = 0;
        for fates in house.fates.told.lock().by_key.values() {
            match &fates[..] {
                [settled] => match &settled.settlement {
                    Settlement::Unknown { .. } => unknown += 1,
                    Settlement::NotDone(NotCommitted::Stopped { .. }) => {}
                    other => panic!("{other:?} after a failed append"),
                },
                _ => panic!("settled {} times", fates.len()),
            }
        }
        assert!(unknown >= 1);
        house.store.reopen().unwrap();
        assert_eq!(offsets(&house.store), unknown, "the disk kept what was unknown");
        house.store.close().unwrap();
    });
}

/// The indexer fails while the tail is at its bound: nobody makes room any more, and all who wait for it are told.
#[test]
fn a_failed_run_settles_all() {
    explore("a failed run settles all", || {
        let disk = FaultyDisk::default();
        disk.switches.index_fails.store(true, Ordering::SeqCst);
        let options = every_batch_a_run().tail_bytes_max(1);
        let house = House::on_disk(disk.memory.clone(), Box::new(disk), options);
        join(clients(&house));
        let durable = durable(&house);
        house.store.reopen().unwrap();
        assert_eq!(offsets(&house.store), durable);
        house.store.close().unwrap();
    });
}

/// Reopened meanwhile: what was written to the old session is stale or not done, and settled once.
#[test]
fn a_store_that_is_reopened_settles_all() {
    explore("a store that is reopened settles all", || {
        let house = House::new(every_batch_a_run().queue_commits_max(2));
        let clients = clients(&house);
        house.store.reopen().unwrap();
        join(clients);
        assert_eq!(offsets(&house.store), durable(&house));
        house.store.close().unwrap();
    });
}

/// A follower that has read all and waits is told of the next commit.
#[test]
fn a_follower_is_woken() {
    explore("a follower is woken", || {
        let house = House::new(every_batch_a_run());
        let followers = followers(&house, |follower| {
            while follower.next().get() <= COMMITS {
                block_on(follower.wait()).unwrap();
                follower.read(&mut |_| ControlFlow::Continue(())).unwrap();
            }
        });
        write(&house);
        join(followers);
        house.store.close().unwrap();
    });
}

/// And of the store's end.
#[test]
fn a_follower_is_told_of_the_end() {
    explore("a follower is told of the end", || {
        let house = House::new(every_batch_a_run());
        let followers = followers(&house, |follower| {
            while block_on(follower.wait()).is_ok() {
                // what was announced can't be read any more once the store is closed
                if follower.read(&mut |_| ControlFlow::Continue(())).is_err() {
                    return;
                }
            }
        });
        write(&house);
        house.store.close().unwrap();
        join(followers);
    });
}

/// The same of the announcer alone, as a follower uses it: a small world is explored better.
#[test]
fn the_last_move_is_announced() {
    explore("the last move is announced", || {
        let announcer = Arc::new(Announcer::new());
        let mut announced = announcer.subscribe().unwrap();
        let journal = {
            let announcer = Arc::clone(&announcer);
            thread::spawn(move || (1..=2).for_each(|offset| announcer.moved(Offset::new(offset))))
        };
        while announced.borrow_and_update().get() < 2 {
            announcer.want(Offset::new(2));
            block_on(announced.changed()).unwrap();
        }
        journal.join().unwrap();
    });
}

fn followers(house: &Arc<House>, follow: fn(&mut LogFollower)) -> Vec<thread::JoinHandle<()>> {
    let start = || {
        let mut follower = house.store.follow(Offset::new(1)).unwrap();
        thread::spawn(move || follow(&mut follower))
    };
    vec![start(), start()]
}

fn write(house: &House) {
    let writer = house.open(&stream("a")).unwrap();
    for number in 1..=COMMITS {
        house.submit(&writer, number);
        house.fates.wait(number);
    }
}
