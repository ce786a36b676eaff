//! What is counted of a resident aggregate: what is in flight to it, how it is used, what it weighs.

use std::sync::{Arc, Weak};

use dormouse_domain::{AggregateId, AggregateType, Bound, NotDone};
use dormouse_persistence::StreamWriter;
use tokio::sync::Notify;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// How often a use is counted before the eviction policy stops telling the difference.
const FREQUENCY_MAX: u8 = 3;

/// Every idle aggregate pays for these bytes, and malloc hands out sixteen more for one more.
#[cfg(not(shuttle))]
const _: () = assert!(size_of::<Residency>() <= 88);

/// Whoever holds the entry of a resident and can take it out.
pub(crate) trait Evicts: Send + Sync {
    /// Removes the entry of `residency` if nothing is in flight to it. `false` if it is in use.
    fn evict(&self, residency: &Residency) -> bool;
}

/// What all residents of one type share.
pub(crate) struct Keeper {
    pub(crate) aggregate_type: AggregateType,
    pub(crate) evicts: Weak<dyn Evicts>,
    pub(crate) gauges: Arc<Gauges>,
}

/// Counts over the whole runtime.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    in_flight: AtomicUsize,
    waiting_for_room: AtomicUsize,
    room: Notify,
    idle: Notify,
    pub(crate) residents: AtomicUsize,
    pub(crate) resident_bytes: AtomicUsize,
    pub(crate) residents_peak: AtomicUsize,
    pub(crate) resident_bytes_peak: AtomicUsize,
    /// Actors that live, those on their way out included.
    pub(crate) actors: AtomicUsize,
}

impl Gauges {
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether there is room for one more: asked before an aggregate is woken for it.
    pub(crate) fn has_room(&self, limit: usize) -> Result<(), NotDone> {
        if self.in_flight() < limit {
            Ok(())
        } else {
            Err(NotDone::Overloaded {
                bound: Bound::Runtime,
                limit,
            })
        }
    }

    fn enter(&self, limit: usize) -> Result<(), NotDone> {
        let room = |n: usize| (n < limit).then_some(n + 1);
        let counted = self
            .in_flight
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, room);
        counted.map_or(
            Err(NotDone::Overloaded {
                bound: Bound::Runtime,
                limit,
            }),
            |_| Ok(()),
        )
    }

    /// Waits until something that was in flight has ended, or `in_flight` is already zero.
    pub(crate) async fn ended(&self) {
        let room = self.room.notified();
        tokio::pin!(room);
        self.waiting_for_room.fetch_add(1, Ordering::SeqCst);
        let _leave = Leave(&self.waiting_for_room);
        room.as_mut().enable();
        if self.in_flight() > 0 {
            room.await;
        }
    }

    /// Waits until no actor lives.
    pub(crate) async fn all_gone(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.actors.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    pub(crate) fn actor_started(&self) {
        self.actors.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn actor_gone(&self) {
        if self.actors.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    pub(crate) fn resident_added(&self, bytes: usize) {
        let residents = self.residents.fetch_add(1, Ordering::Relaxed) + 1;
        self.residents_peak.fetch_max(residents, Ordering::Relaxed);
        self.grown(bytes);
    }

    pub(crate) fn resident_removed(&self, bytes: usize) {
        self.residents.fetch_sub(1, Ordering::Relaxed);
        self.resident_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn grown(&self, bytes: usize) {
        let total = self.resident_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.resident_bytes_peak.fetch_max(total, Ordering::Relaxed);
    }
}

struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One resident aggregate, as the directory, the evictor and its actor share it.
pub(crate) struct Residency {
    pub(crate) id: AggregateId,
    keeper: Arc<Keeper>,
    in_flight: AtomicU32,
    /// Commands handled since it was woken. Only its actor writes it.
    commands: AtomicU32,
    frequency: AtomicU8,
    /// Milliseconds of the runtime's monotonic clock at its waking.
    woken_ms: u64,
    /// Milliseconds of the runtime's monotonic clock at the last command.
    used_ms: AtomicU64,
    weight: AtomicUsize,
    gone: AtomicBool,
    /// The right to write the stream. Taken out under the directory's guard, so that the next activation finds the
    /// stream closed.
    writer: Mutex<Option<StreamWriter>>,
}

impl std::fmt::Debug for Residency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Residency")
            .field("id", &self.id)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Residency {
    pub(crate) fn new(id: AggregateId, keeper: Arc<Keeper>, now_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            keeper,
            in_flight: AtomicU32::new(0),
            commands: AtomicU32::new(0),
            frequency: AtomicU8::new(0),
            woken_ms: now_ms,
            used_ms: AtomicU64::new(now_ms),
            weight: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
            writer: Mutex::new(None),
        })
    }

    /// Counts one more command in flight, if both bounds allow. Called under the entry's guard: an eviction, which
    /// holds the same guard for writing, sees either the count or no entry.
    ///
    /// What finds no room was never counted: taking a count back would wake those who wait for room, for nothing.
    pub(crate) fn charge(self: &Arc<Self>, mailbox: usize, runtime: usize) -> Result<Charge, NotDone> {
        let room = |n: u32| ((n as usize) < mailbox).then_some(n + 1);
        let counted = self
            .in_flight
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
        counted.map_err(|_| NotDone::Overloaded {
            bound: Bound::Mailbox,
            limit: mailbox,
        })?;
        if let Err(full) = self.keeper.gauges.enter(runtime) {
            // the runtime is full, so something is in flight, and its end wakes whoever saw this count
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            return Err(full);
        }
        Ok(Charge(Arc::clone(self)))
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// One more command was handled. Called by its actor alone, so that no locked instruction is needed.
    pub(crate) fn count_command(&self) {
        let commands = self.commands.load(Ordering::Relaxed);
        self.commands.store(commands.saturating_add(1), Ordering::Relaxed);
    }

    pub(crate) fn commands(&self) -> u32 {
        self.commands.load(Ordering::Relaxed)
    }

    pub(crate) fn woken_ms(&self) -> u64 {
        self.woken_ms
    }

    pub(crate) fn aggregate_type(&self) -> &AggregateType {
        &self.keeper.aggregate_type
    }

    pub(crate) fn touch(&self, now_ms: u64) {
        self.used_ms.store(now_ms, Ordering::Relaxed);
        let frequency = self.frequency.load(Ordering::Relaxed);
        if frequency < FREQUENCY_MAX {
            self.frequency.store(frequency + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn frequency(&self) -> u8 {
        self.frequency.load(Ordering::Relaxed)
    }

    /// The policy's forgetting: one use less.
    pub(crate) fn cool(&self) {
        let frequency = self.frequency();
        self.frequency
            .store(frequency.saturating_sub(1), Ordering::Relaxed);
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// The actor's new weight in bytes. Its first one makes it count as resident.
    pub(crate) fn weigh(&self, bytes: usize) {
        let before = self.weight.swap(bytes, Ordering::Relaxed);
        if self.gone.load(Ordering::Acquire) {
            return;
        }
        if before == 0 {
            self.keeper.gauges.resident_added(bytes);
        } else if bytes >= before {
            self.keeper.gauges.grown(bytes - before);
        } else {
            self.keeper
                .gauges
                .resident_bytes
                .fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Asks the directory to let it go. `true` if it is out, now or before.
    pub(crate) fn try_evict(&self) -> bool {
        self.is_gone() || self.keeper.evicts.upgrade().is_none_or(|owner| owner.evict(self))
    }

    /// Under the directory's guard for writing, with nothing in flight: the stream is closed and the weight given back.
    pub(crate) fn leave(&self) {
        if !self.gone.swap(true, Ordering::AcqRel) {
            drop(self.writer.lock().take());
            let weight = self.weight();
            if weight > 0 {
                self.keeper.gauges.resident_removed(weight);
            }
        }
    }

    pub(crate) fn set_writer(&self, writer: StreamWriter) {
        *self.writer.lock() = Some(writer);
    }

    /// Closes the stream for a reload in place.
    pub(crate) fn close_writer(&self) {
        drop(self.writer.lock().take());
    }

    /// Lets `submit` use the right to write; `None` if it was given up.
    pub(crate) fn with_writer<T>(&self, submit: impl FnOnce(&StreamWriter) -> T) -> Option<T> {
        self.writer.lock().as_ref().map(submit)
    }
}

/// One command in flight: counted while it lives.
#[derive(Debug)]
pub(crate) struct Charge(Arc<Residency>);

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        let gauges = &self.0.keeper.gauges;
        gauges.in_flight.fetch_sub(1, Ordering::SeqCst);
        if gauges.waiting_for_room.load(Ordering::SeqCst) > 0 {
            gauges.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
