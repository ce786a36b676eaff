//! The rules, without an actor or a store around them.

use dormouse_domain::{
    Aggregate, AggregateId, AggregateType, Command, CommandContext, CommandId, Decided, Decision, Event,
    Expected, Handle, Metadata, NotDone, StreamId, Timestamp, Version, limits,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CommandIds, Commanded, EntityCore, Identified, Identity, Turn};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Counter {
    sum: u64,
    text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Counted {
    Added { n: u64 },
    Wrote { text: String },
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("no")]
struct No;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
struct Add {
    n: u64,
}

/// Adds one event, then decides on more on the state after it.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
struct AddTwice {
    n: u64,
}

/// Writes so many bytes.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Write {
    bytes: usize,
}

/// Adds, then adds more often than a commit takes.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct AddThenTooOften;

/// Adds, then writes what can't be stored.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct AddThenTooMuch;

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Event = Counted;
    type Error = No;

    fn apply(&mut self, event: &Counted) {
        match event {
            Counted::Added { n } if *n == 13 => panic!("unlucky"),
            Counted::Added { n } => self.sum += n,
            Counted::Wrote { text } => self.text.clone_from(text),
        }
    }
}

impl Handle<Add> for Counter {
    fn handle(&self, add: Add, _: &CommandContext<'_>) -> Decided<Self, Add> {
        match add.n {
            0 => Ok(Decision::none().reply(|after| after.sum)),
            1_000.. => Err(No),
            n => Ok(Decision::event(Counted::Added { n }).reply(|after| after.sum)),
        }
    }
}

impl Handle<AddTwice> for Counter {
    fn handle(&self, add: AddTwice, _: &CommandContext<'_>) -> Decided<Self, AddTwice> {
        let first = Decision::event(Counted::Added { n: add.n });
        Ok(first
            .then(|after: &Self| vec![Counted::Added { n: after.sum }])
            .reply(|after| after.sum))
    }
}

impl Handle<Write> for Counter {
    fn handle(&self, write: Write, _: &CommandContext<'_>) -> Decided<Self, Write> {
        Ok(Decision::event(Counted::Wrote {
            text: "x".repeat(write.bytes),
        }))
    }
}

impl Handle<AddThenTooOften> for Counter {
    fn handle(&self, _: AddThenTooOften, _: &CommandContext<'_>) -> Decided<Self, AddThenTooOften> {
        let too_often = |_: &Self| {
            let ones = std::iter::repeat_with(|| Counted::Added { n: 1 });
            ones.take(limits::EVENTS_PER_COMMIT_MAX).collect()
        };
        Ok(Decision::event(Counted::Added { n: 1 }).then(too_often))
    }
}

impl Handle<AddThenTooMuch> for Counter {
    fn handle(&self, _: AddThenTooMuch, _: &CommandContext<'_>) -> Decided<Self, AddThenTooMuch> {
        let too_much = |_: &Self| {
            vec![Counted::Wrote {
                text: "x".repeat(limits::PAYLOAD_BYTES_MAX + 1),
            }]
        };
        Ok(Decision::event(Counted::Added { n: 1 }).then(too_much))
    }
}

struct Rules {
    core: EntityCore<Counter>,
    stream: StreamId,
    expected: Expected,
}

impl Rules {
    fn new() -> Self {
        let stream = StreamId::new(
            AggregateType::from_static("counter"),
            AggregateId::try_from("c-1").unwrap(),
        );
        let core = EntityCore::new(
            Counter::default(),
            Version::NONE,
            Version::NONE,
            CommandIds::new(None),
        );
        Self {
            core,
            stream,
            expected: Expected::Any,
        }
    }

    fn handle<C: Command>(&mut self, command: C, identity: Option<Identity>) -> Turn<C::Reply, No>
    where
        Counter: Handle<C>,
    {
        let commanded = Commanded {
            aggregate_type: &self.stream.aggregate_type,
            id: &self.stream.id,
            identity,
            expected: self.expected,
            metadata: &Metadata::default(),
            now: Timestamp::from_millis(1),
            durable: Version::NONE,
            recent_ids: 4,
        };
        self.core.handle(command, &commanded)
    }
}

fn identity(n: u128, command: &impl Command) -> Identity {
    let id = CommandId::from(Uuid::from_u128(n << 80 | 0x7 << 76 | 0b10 << 62));
    Identity {
        id,
        fingerprint: command.fingerprint().unwrap(),
    }
}

#[test]
fn events_are_numbered_from_one_and_the_reply_tells_of_the_state_after() {
    let mut rules = Rules::new();
    for (n, sum) in [(5, 5), (6, 11)] {
        let Turn::Commit {
            commit,
            first,
            last,
            reply,
        } = rules.handle(Add { n }, None)
        else {
            panic!("a commit")
        };
        assert_eq!((commit.first_version(), commit.last_version()), (first, last));
        assert_eq!(reply, sum);
    }
    assert_eq!(rules.core.version(), Version::new(2));
}

#[test]
fn later_events_of_a_decision_see_the_earlier_ones() {
    let mut rules = Rules::new();
    let Turn::Commit {
        first, last, reply, ..
    } = rules.handle(AddTwice { n: 5 }, None)
    else {
        panic!("a commit")
    };
    assert_eq!((first, last, reply), (Version::new(1), Version::new(2), 10));
}

#[test]
fn what_stores_nothing_changes_nothing() {
    let mut rules = Rules::new();
    assert!(matches!(rules.handle(Add { n: 0 }, None), Turn::Reply(0)));
    assert!(matches!(rules.handle(Add { n: 1_000 }, None), Turn::Refused(No)));
    rules.expected = Expected::Exists;
    let conflict = NotDone::VersionConflict {
        expected: Expected::Exists,
        actual: Version::NONE,
    };
    assert!(matches!(rules.handle(Add { n: 1 }, None), Turn::NotDone(reason) if reason == conflict));
    assert_eq!(
        (rules.core.state(), rules.core.version()),
        (&Counter::default(), Version::NONE)
    );
}

#[test]
fn a_failure_after_the_state_changed_breaks_the_entity() {
    let mut rules = Rules::new();
    let broken = rules.handle(AddThenTooMuch, None);
    assert!(matches!(
        broken,
        Turn::Broken(NotDone::TooLarge {
            field: "event payload",
            ..
        })
    ));
    let mut rules = Rules::new();
    let broken = rules.handle(Add { n: 13 }, None);
    assert!(matches!(
        broken,
        Turn::Broken(NotDone::Panicked { place: "apply", .. })
    ));
}

#[test]
fn a_first_event_that_cannot_be_stored_harms_nothing() {
    let mut rules = Rules::new();
    let bytes = limits::PAYLOAD_BYTES_MAX + 1;
    let not_done = rules.handle(Write { bytes }, None);
    assert!(matches!(not_done, Turn::NotDone(NotDone::TooLarge { .. })));
    assert_eq!(
        (rules.core.state(), rules.core.version()),
        (&Counter::default(), Version::NONE)
    );
}

#[test]
fn more_events_than_a_commit_takes_are_told_as_one_too_many() {
    let limit = limits::EVENTS_PER_COMMIT_MAX;
    let broken = Rules::new().handle(AddThenTooOften, None);
    assert!(matches!(
        broken,
        Turn::Broken(NotDone::TooManyEvents { events, limit: told }) if (events, told) == (limit + 1, limit)
    ));
}

#[test]
fn a_state_is_weighed_each_time_half_of_it_was_committed() {
    let mut rules = Rules::new();
    let mut weigh_after = |bytes| {
        let _ = rules.handle(Write { bytes }, None);
        rules.core.heap_bytes()
    };
    let large = weigh_after(200_000);
    assert!(large >= 200_000);
    assert_eq!(weigh_after(50_000), large, "a quarter");
    assert!(weigh_after(60_000) < large);
}

/// No id can have taken effect there.
#[test]
fn an_empty_stream_is_not_asked_for_an_id() {
    let mut rules = Rules::new();
    let (now, add) = (Timestamp::from_millis(1_000), Add { n: 5 });
    let keyed = |key| Identity {
        id: CommandId::from_key(key),
        ..identity(1, &add)
    };
    assert!(matches!(rules.core.identify(keyed("a"), now), Identified::New));
    assert!(matches!(rules.handle(add.clone(), None), Turn::Commit { .. }));
    assert!(matches!(rules.core.identify(keyed("a"), now), Identified::LookUp));
}

#[test]
fn an_id_is_known_from_the_moment_it_is_handed_over() {
    let mut rules = Rules::new();
    let (now, add) = (Timestamp::from_millis(1_000), Add { n: 5 });
    let first = identity(1, &add);
    assert!(matches!(rules.core.identify(first, now), Identified::New));
    assert!(matches!(rules.handle(add, Some(first)), Turn::Commit { .. }));
    assert!(
        matches!(rules.core.identify(first, now), Identified::Done { first_version } if first_version == Version::new(1))
    );
    let other = Identity {
        fingerprint: Add { n: 6 }.fingerprint().unwrap(),
        ..first
    };
    assert!(matches!(
        rules.core.identify(other, now),
        Identified::NotDone(NotDone::CommandIdReused { .. })
    ));
}

#[test]
fn a_refused_command_is_not_remembered() {
    let mut rules = Rules::new();
    let refused = Add { n: 1_000 };
    let id = identity(1, &refused);
    assert!(matches!(rules.handle(refused, Some(id)), Turn::Refused(No)));
    assert!(matches!(
        rules.core.identify(id, Timestamp::from_millis(1_000)),
        Identified::New
    ));
}

#[test]
fn a_snapshot_is_due_every_so_many_events_and_holds_the_state() {
    let mut rules = Rules::new();
    let mut due = Vec::new();
    for n in 1..=10 {
        let _ = rules.handle(Add { n }, None);
        if rules.core.is_snapshot_due(4) {
            due.extend(rules.core.snapshot());
        }
    }
    let versions: Vec<u64> = due.iter().map(|snapshot| snapshot.version.get()).collect();
    assert_eq!(versions, [4, 8]);
    let state: Counter = Counter::CODEC.decode(&due[1].payload).unwrap();
    assert_eq!(state.sum, (1..=8).sum::<u64>());
    assert!(!rules.core.is_snapshot_due(0), "0 means never");
}
