//! How far the log is durable, and telling those who follow it.
//!
//! Ten thousand batches a second must not become as many wake-ups of every follower, nor may the journal wake them
//! one by one. So the journal only moves a number; a thread that is started for the first follower announces it, to all of
//! them at once, and then rests for a moment: who follows a busy store is woken once a moment and reads in bulk.

use std::sync::Arc;
use std::time::Duration;

use dormouse_domain::Offset;
use tokio::sync::watch;

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, thread};

/// The rest after an announcement: how late a follower may be told beyond its wake-up, and how often at most it is
/// woken. Ten followers of a busy store then cost 10,000 wake-ups a second, some hundredths of a core.
const REST: Duration = Duration::from_millis(1);

/// Keeps the durable offset and announces it.
pub(crate) struct Announcer {
    shared: Arc<Shared>,
}

struct Shared {
    durable: AtomicU64,
    /// A follower has seen all that was announced: what the journal looks at.
    wanted: AtomicBool,
    announced: watch::Sender<Offset>,
    order: Mutex<Order>,
    ordered: Condvar,
}

/// What the thread is to do.
#[derive(Default)]
struct Order {
    started: bool,
    announce: bool,
    end: bool,
}

impl Announcer {
    /// Nothing is durable yet, and nobody follows.
    pub(crate) fn new() -> Announcer {
        let shared = Arc::new(Shared {
            durable: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            announced: watch::Sender::new(Offset::NONE),
            order: Mutex::default(),
            ordered: Condvar::new(),
        });
        Announcer { shared }
    }

    /// The log is durable up to here. Never steps back. Costs the same however many follow.
    pub(crate) fn moved(&self, offset: Offset) {
        self.shared.durable.fetch_max(offset.get(), Ordering::SeqCst);
        self.announce_if_wanted();
    }

    /// The last durable offset.
    pub(crate) fn durable(&self) -> Offset {
        Offset::new(self.shared.durable.load(Ordering::SeqCst))
    }

    /// Starts the thread, unless it runs; what it will announce.
    pub(crate) fn subscribe(&self) -> std::io::Result<watch::Receiver<Offset>> {
        let mut order = self.shared.order.lock();
        if !order.started {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new()
                .name("dormouse-announcer".into())
                .spawn(move || shared.announce_until_end())?;
            order.started = true;
        }
        Ok(self.shared.announced.subscribe())
    }

    /// Has the next move announced, or the last one if `next` is durable already. Announcements that were made
    /// before are not seen by a receiver that looks only now.
    pub(crate) fn want(&self, next: Offset) {
        // This and what the journal does to the same two are sequentially consistent: one of both sees the other.
        self.shared.wanted.store(true, Ordering::SeqCst);
        if self.durable() >= next {
            self.announce_if_wanted();
        }
    }

    /// Lets all who wait look again, whether or not anything moved.
    pub(crate) fn announce(&self) {
        self.shared.order.lock().announce = true;
        self.shared.ordered.notify_one();
    }

    fn announce_if_wanted(&self) {
        let wanted = &self.shared.wanted;
        if wanted.load(Ordering::SeqCst) && wanted.swap(false, Ordering::SeqCst) {
            self.announce();
        }
    }
}

impl Drop for Announcer {
    /// Not joined: a follower that is woken may drop the store on that very thread.
    fn drop(&mut self) {
        self.shared.order.lock().end = true;
        self.shared.ordered.notify_one();
    }
}

impl Shared {
    fn announce_until_end(&self) {
        while self.wait_for_order() {
            let durable = Offset::new(self.durable.load(Ordering::SeqCst));
            self.announced.send_replace(durable);
            thread::sleep(REST);
        }
    }

    /// False once the store is gone.
    fn wait_for_order(&self) -> bool {
        let mut order = self.order.lock();
        while !order.announce && !order.end {
            self.ordered.wait(&mut order);
        }
        order.announce = false;
        !order.end
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// However often it moves, and whoever asks for it, it is announced once a rest.
    #[test]
    fn many_moves_are_one_announcement() {
        const ANNOUNCEMENTS: u32 = 10;
        let announcer = Announcer::new();
        let mut announced = announcer.subscribe().unwrap();
        let start = Instant::now();
        let (mut moves, mut announcements) = (0, 0);
        while announcements < ANNOUNCEMENTS {
            moves += 1;
            announcer.moved(Offset::new(moves));
            announcer.want(Offset::new(moves));
            if announced.has_changed().unwrap() {
                announcements += 1;
                let seen = *announced.borrow_and_update();
                assert!(seen <= Offset::new(moves));
            }
        }
        assert!(
            start.elapsed() >= (ANNOUNCEMENTS - 1) * REST,
            "{announcements} in {:?}",
            start.elapsed()
        );
        assert!(moves > u64::from(ANNOUNCEMENTS), "{moves} moves");
    }

    /// Also one that moves no more: whoever asks late is told of the last move.
    #[tokio::test]
    async fn the_last_move_is_announced() {
        let announcer = Announcer::new();
        let mut announced = announcer.subscribe().unwrap();
        for offset in 1..20 {
            announcer.moved(Offset::new(offset));
            announcer.want(Offset::new(offset));
            announced.wait_for(|seen| seen.get() == offset).await.unwrap();
        }
    }

    #[test]
    fn nobody_is_told_before_anybody_asks() {
        let announcer = Announcer::new();
        let mut announced = announcer.subscribe().unwrap();
        announcer.moved(Offset::new(7));
        announcer.moved(Offset::new(3));
        assert_eq!(announcer.durable(), Offset::new(7), "it never steps back");
        assert_eq!(*announced.borrow_and_update(), Offset::NONE);
        assert!(!announcer.shared.order.lock().announce);
    }
}
