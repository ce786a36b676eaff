//! When an eviction and a new command meet, no command is lost or run twice, and no stream has two writers (P7).

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use dormouse_domain::{AggregateId, AggregateType, Clock, StreamId, Timestamp, Version};
use dormouse_persistence::sync::atomic::{AtomicU64, Ordering};
use dormouse_persistence::sync::{Condvar, Mutex, explore, thread};
use dormouse_persistence::{
    CommitBuilder, MemoryDisk, Settled, Settlement, SettlementSink, SinkId, Store, StoreError, StoreOptions,
    Ticket,
};
use shuttle::future::block_on;

use crate::entries::{Bounds, Charged, Entries, Entry, Mailbox, Unsent};
use crate::residency::{Charge, Evicts, Gauges, Keeper, Residency};
use crate::residents::Residents;

const CLIENTS: u64 = 2;
const COMMANDS: u64 = 2;
const WEIGHT_BYTES: usize = 100;

struct Command {
    number: u64,
    charge: Option<Charge>,
    handled: bool,
    answers: Arc<Answers>,
}

/// As a call's slot does: who is dropped unhandled is told so.
impl Drop for Command {
    fn drop(&mut self) {
        drop(self.charge.take());
        if !self.handled {
            self.answers.not_done(self.number);
        }
    }
}

impl Charged for Command {
    fn carry(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }
}

/// A mailbox as actix's is: what is in it when its actor goes is dropped with it, in one step.
#[derive(Default)]
struct Line {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    actor_has_gone: bool,
    nobody_sends: bool,
}

struct Sender(Arc<Line>);

struct Receiver(Arc<Line>);

impl Mailbox<Command> for Sender {
    fn put(&self, message: Command) -> Result<(), Command> {
        let mut state = self.0.state.lock();
        if state.actor_has_gone {
            return Err(message);
        }
        state.commands.push_back(message);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.state.lock().nobody_sends = true;
        self.0.changed.notify_one();
    }
}

impl Receiver {
    /// None once nobody can send any more.
    fn next(&self) -> Option<Command> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(command) = state.commands.pop_front() {
                return Some(command);
            }
            if state.nobody_sends {
                return None;
            }
            self.0.changed.wait(&mut state);
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.actor_has_gone = true;
        let left = std::mem::take(&mut state.commands);
        // outside of the lock: each tells its sender
        drop(state);
        drop(left);
    }
}

/// What became of each command.
#[derive(Default)]
struct Answers {
    by_number: Mutex<BTreeMap<u64, Answer>>,
    changed: Condvar,
}

#[derive(Debug)]
enum Answer {
    Settled(Settlement),
    NotDone,
}

impl SettlementSink for Answers {
    fn settled(&self, batch: Vec<Settled>) {
        for settled in batch {
            self.tell(settled.key, Answer::Settled(settled.settlement));
        }
    }
}

impl Answers {
    fn not_done(&self, number: u64) {
        self.tell(number, Answer::NotDone);
    }

    fn tell(&self, number: u64, answer: Answer) {
        let before = self.by_number.lock().insert(number, answer);
        assert!(
            before.is_none(),
            "command {number} was answered {before:?} before"
        );
        self.changed.notify_all();
    }

    /// Whether it was done.
    fn wait(&self, number: u64) -> bool {
        let mut by_number = self.by_number.lock();
        loop {
            match by_number.get(&number) {
                None => self.changed.wait(&mut by_number),
                Some(Answer::Settled(Settlement::Durable { .. })) => return true,
                Some(Answer::Settled(other)) => panic!("command {number}: {other:?}"),
                Some(Answer::NotDone) => {
                    by_number.remove(&number);
                    return false;
                }
            }
        }
    }
}

struct House {
    store: Store,
    answers: Arc<Answers>,
    sink: SinkId,
    entries: Entries<Sender>,
    gauges: Arc<Gauges>,
    residents: Residents,
    /// Entities of which each dies at its first command, before it has handled it.
    mortal: AtomicU64,
    actors: Mutex<Vec<thread::JoinHandle<()>>>,
    /// Of all who ever woke.
    residencies: Mutex<Vec<Arc<Residency>>>,
    this: Weak<House>,
}

impl Evicts for House {
    fn evict(&self, residency: &Residency) -> bool {
        self.entries.evict(residency)
    }
}

impl House {
    fn new(mortal: u64) -> Arc<House> {
        let options = StoreOptions::default().clock(Clock::held(Timestamp::EPOCH));
        let store = Store::on_memory(&MemoryDisk::new(), options).unwrap();
        let answers = Arc::<Answers>::default();
        let sink = store.register_sink(Arc::clone(&answers) as _);
        let gauges = Arc::<Gauges>::default();
        Arc::new_cyclic(|this| House {
            store,
            answers,
            sink,
            entries: Entries::new(),
            residents: Residents::new(Arc::clone(&gauges), 0),
            gauges,
            mortal: AtomicU64::new(mortal),
            actors: Mutex::default(),
            residencies: Mutex::default(),
            this: Weak::clone(this),
        })
    }

    fn id(&self) -> AggregateId {
        "a".try_into().unwrap()
    }

    fn stream(&self) -> StreamId {
        StreamId::new(AggregateType::from_static("t"), self.id())
    }

    /// As the directory sends: again if the entity had died.
    fn send(&self, number: u64) {
        let bounds = Bounds {
            gauges: &self.gauges,
            mailbox: 100,
            runtime: 100,
        };
        let mut message = Command {
            number,
            charge: None,
            handled: false,
            answers: Arc::clone(&self.answers),
        };
        loop {
            match self
                .entries
                .send(&self.id(), message, &bounds, || 0, |_| self.wake())
            {
                Ok(()) => return,
                Err(Unsent::Died(back)) => message = back,
                Err(Unsent::NoRoom(reason, _)) => panic!("{reason:?}"),
            }
        }
    }

    fn wake(&self) -> Entry<Sender> {
        let house = self.this.upgrade().expect("the house stands");
        let evicts: Weak<dyn Evicts> = Weak::<House>::clone(&self.this);
        let keeper = Keeper {
            aggregate_type: self.stream().aggregate_type,
            evicts,
            gauges: Arc::clone(&self.gauges),
        };
        let residency = Residency::new(self.id(), keeper.into(), 0);
        let line = Arc::<Line>::default();
        let (mailbox, commands) = (Sender(Arc::clone(&line)), Receiver(line));
        self.residencies.lock().push(Arc::clone(&residency));
        let entity = Arc::clone(&residency);
        let actor = thread::spawn(move || house.live(&entity, &commands));
        self.actors.lock().push(actor);
        Entry { mailbox, residency }
    }

    /// An entity, from its activation until nobody can send to it any more.
    fn live(&self, residency: &Arc<Residency>, commands: &Receiver) {
        if self.mortal.load(Ordering::SeqCst) > 0 {
            let dies = |n: u64| n.checked_sub(1);
            let _ = self.mortal.fetch_update(Ordering::SeqCst, Ordering::SeqCst, dies);
            let _ = commands.next();
            return;
        }
        let writer = loop {
            let seen = self
                .store
                .read_stream(&self.stream(), Version::NONE, &mut |_| ControlFlow::Continue(()));
            match self.store.open_stream(&self.stream(), seen.unwrap()) {
                Ok(writer) => break writer,
                // it moved on since it was read
                Err(StoreError::ReadOutdated { .. } | StoreError::StaleVersion { .. }) => thread::yield_now(),
                Err(error) => panic!("an eviction left the stream held, or worse: {error}"),
            }
        };
        residency.set_writer(writer);
        residency.weigh(WEIGHT_BYTES);
        self.residents.add(Arc::clone(residency));
        while let Some(mut command) = commands.next() {
            let submitted = residency.with_writer(|writer| {
                let mut commit = CommitBuilder::new(&self.stream(), writer.head().next());
                commit.system_event("done", b"").unwrap();
                let ticket = Ticket {
                    sink: self.sink,
                    key: command.number,
                };
                self.store.submit(writer, commit.finish().unwrap(), ticket);
            });
            assert!(
                submitted.is_some(),
                "a command reached an entity that was evicted"
            );
            command.handled = true;
            self.answers.wait(command.number);
        }
    }

    /// Evicts whoever can go.
    fn sweep(&self) {
        self.residents.sweep_idle(u64::MAX);
        self.residents.make_room();
    }

    /// Evicts whoever can go, also those who are gone: as one does who looked a moment ago, when they were not.
    fn evict_all(&self) {
        let all = self.residencies.lock().clone();
        for residency in all {
            let _ = self.evict(&residency);
        }
    }

    fn join_actors(&self) {
        loop {
            let Some(actor) = self.actors.lock().pop() else {
                return;
            };
            actor.join().unwrap();
        }
    }
}

/// Clients send to one aggregate while it is evicted again and again.
fn commands_meet_evictions(mortal: u64) {
    let house = House::new(mortal);
    let clients = (0..CLIENTS).map(|client| {
        let house = Arc::clone(&house);
        thread::spawn(move || {
            for number in client * COMMANDS..(client + 1) * COMMANDS {
                house.send(number);
                // its entity died: the client tries again
                while !house.answers.wait(number) {
                    house.send(number);
                }
            }
        })
    });
    let mut threads: Vec<_> = clients.collect();
    let sweeper = Arc::clone(&house);
    threads.push(thread::spawn(move || (0..2).for_each(|_| sweeper.sweep())));
    let reader = Arc::clone(&house);
    threads.push(thread::spawn(move || (0..2).for_each(|_| reader.evict_all())));
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(
        house.store.head(&house.stream()).unwrap().get(),
        CLIENTS * COMMANDS,
        "each command once"
    );
    while house.gauges.in_flight() > 0 {
        block_on(house.gauges.ended());
    }
    house.sweep();
    house.join_actors();
    assert_eq!(house.gauges.residents.load(Ordering::SeqCst), 0);
    assert_eq!(house.gauges.resident_bytes.load(Ordering::SeqCst), 0);
    house.store.close().unwrap();
}

#[test]
fn commands_and_evictions_meet() {
    explore("commands and evictions meet", || commands_meet_evictions(0));
}

#[test]
fn commands_and_deaths_meet() {
    explore("commands and deaths meet", || commands_meet_evictions(2));
}
