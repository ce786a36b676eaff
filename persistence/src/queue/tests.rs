use super::*;
use std::sync::Arc;

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A submission of no consequence.
fn put(queue: &Queue) {
    let mut state = queue.submitting.state.lock();
    state.filling.items.push(Item {
        ticket: Ticket {
            sink: crate::settlement::SinkId(0),
            key: 0,
        },
        last_version: Version::new(1),
        fate: Fate::Stale(Version::new(1)),
    });
    queue.signal(state);
}

#[test]
fn a_long_wait_ends_the_spinning_and_waking_is_no_part_of_it() {
    let queue = Queue::new(&StoreOptions::default());
    let asleep = || while !queue.submitting.state.lock().sleeping {};
    std::thread::scope(|scope| {
        scope.spawn(|| {
            asleep();
            busy(SPIN_MAX);
            put(&queue);
        });
        assert!(matches!(queue.next(), Next::Batch(_)));
        assert!(!queue.spinning_pays.load(Ordering::Relaxed));
        scope.spawn(|| {
            asleep();
            // as if work had come at once, and only waking the thread had taken long
            let mut state = queue.submitting.state.lock();
            state.sleeping = false;
            state.woken = Some(Instant::now() - Duration::from_secs(1));
            drop(state);
            busy(SPIN_MAX);
            put(&queue);
            queue.wake.notify_one();
        });
        assert!(matches!(queue.next(), Next::Batch(_)));
        assert!(queue.spinning_pays.load(Ordering::Relaxed));
    });
}

/// No wake-up is lost, and both orders to end are heard, wherever in its wait they meet the journal.
#[test]
fn no_wake_up_is_lost() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = move |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    for round in 0..1_500 {
        let queue = Arc::new(Queue::new(&StoreOptions::default()));
        let taken = Arc::clone(&queue);
        let journal = std::thread::spawn(move || {
            let mut all = 0;
            while let Next::Batch(batch) = taken.next() {
                all += batch.items.len();
                taken.recycle(batch);
            }
            all
        });
        let items = below(12) as usize;
        for _ in 0..items {
            busy(Duration::from_nanos(below(130_000)));
            put(&queue);
            if below(2) == 0 {
                // Taken without anything else coming: nothing but its own wake-up can help.
                let since = Instant::now();
                while !queue.submitting.state.lock().is_empty() {
                    assert!(
                        since.elapsed() < Duration::from_secs(5),
                        "round {round}: asleep beside work"
                    );
                    std::thread::yield_now();
                }
            }
        }
        busy(Duration::from_nanos(below(130_000)));
        queue.end(if round % 2 == 0 {
            End::Finish
        } else {
            End::Abandon("x".into())
        });
        let since = Instant::now();
        while !journal.is_finished() {
            assert!(
                since.elapsed() < Duration::from_secs(5),
                "round {round}: it does not end"
            );
            std::thread::yield_now();
        }
        assert_eq!(journal.join().unwrap(), items);
    }
}
