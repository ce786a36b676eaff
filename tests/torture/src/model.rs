//! What the parent knows, and holds the store to.

mod compared;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use anyhow::Result;
use dormouse::{Aggregate, AggregateType, Event, Offset, Position, Store, StoredCommit, StreamId, Version};

pub(crate) use self::compared::Compared;
use crate::counter::{Counted, Counter, stream_name, stream_number};
use crate::heard::{Answer, Heard, Told};
use crate::violation::Violation;

/// What one command did, as the log has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    offset: u64,
    /// Of its last event.
    pub(crate) last: Position,
    stream: u32,
    pub(crate) last_version: u64,
}

/// All that is in the log, as far as it was read.
#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    offset: u64,
    versions: HashMap<u32, u64>,
    ids: HashSet<u128>,
    /// Since [`Model::begin`].
    effects: HashMap<u128, Effect>,
    /// Streams that went on since [`Model::begin`].
    touched: HashSet<u32>,
    /// Where the log ended when it was read first since [`Model::begin`].
    recovered: Option<u64>,
}

impl Model {
    /// A new child's life begins.
    pub(crate) fn begin(&mut self) {
        self.effects.clear();
        self.touched.clear();
        self.recovered = None;
    }

    /// What a command that was sent since the beginning did, if it took effect.
    pub(crate) fn effect(&self, id: u128) -> Option<Effect> {
        self.effects.get(&id).copied()
    }

    /// Reads on in the log, and holds it to P4 and P6: no gaps, no halves, no id twice.
    pub(crate) fn read_on(&mut self, store: &Store) -> Result<Vec<Violation>> {
        let mut broken = Vec::new();
        store.read_log(Offset::new(self.offset + 1), &mut |commit| {
            if let Err(violation) = self.take(commit) {
                broken.push(violation);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        self.recovered.get_or_insert(self.offset);
        if broken.is_empty() && store.durable().get() != self.offset {
            let what = format!(
                "durable up to {}, the log ends at {}",
                store.durable().get(),
                self.offset
            );
            broken.push(Violation { promise: "P4", what });
        }
        Ok(broken)
    }

    fn take(&mut self, commit: &StoredCommit<'_>) -> Result<(), Violation> {
        let place = format!("the commit at offset {}", commit.position().offset.get());
        let gap = |what: String| Violation { promise: "P4", what };
        if commit.position().offset.get() != self.offset + 1 {
            return Err(gap(format!("{place} comes after offset {}", self.offset)));
        }
        let stream = commit.stream();
        let Some(number) = stream_number(stream.id.as_str()) else {
            return Err(gap(format!("{place} is of {stream}, to which nothing was sent")));
        };
        let version = self.versions.entry(number).or_default();
        if commit.first_version().get() != *version + 1 {
            let first = commit.first_version().get();
            return Err(gap(format!(
                "{place}: version {first} of {stream} comes after {version}"
            )));
        }
        check_parts(commit, &place)?;
        *version = commit.last_version().get();
        self.offset = commit.last_offset().get();
        self.touched.insert(number);
        let Some(command) = commit.command() else {
            return Err(Violation {
                promise: "P6",
                what: format!("{place} has lost its command's id"),
            });
        };
        let id = command.id.as_u128();
        let effect = Effect {
            offset: commit.position().offset.get(),
            last: Position::new(commit.position().shard, commit.last_offset()),
            stream: number,
            last_version: *version,
        };
        self.effects.insert(id, effect);
        if !self.ids.insert(id) {
            return Err(Violation {
                promise: "P6",
                what: format!("{place}: command {} took effect before", command.id),
            });
        }
        Ok(())
    }

    /// Holds what was told to P1, P3 and P6: what was acknowledged is there, what was not done is not.
    pub(crate) fn hold(&self, told: &Told) -> Option<Violation> {
        let effect = self.effects.get(&told.id);
        let broken = |promise, what: String| {
            let what = format!("command {} to counter {}: {what}", told.number, told.stream);
            Some(Violation { promise, what })
        };
        match (told.answer, effect) {
            (Answer::Done { version, .. }, None) => {
                broken("P1", format!("acknowledged at version {version}, and gone"))
            }
            (
                Answer::Done {
                    version,
                    reply,
                    position,
                },
                Some(effect),
            ) => {
                let there = (
                    effect.stream,
                    effect.last_version,
                    effect.last_version,
                    Some(effect.last),
                );
                let said = (told.stream, version, reply, position);
                if there == said {
                    return None;
                }
                let what = format!(
                    "acknowledged as (stream, version, count, position) {said:?}, stored as {there:?}"
                );
                broken("P1", what)
            }
            (Answer::NotDone, Some(effect)) => broken(
                "P3",
                format!("answered not done, and stored at version {}", effect.last_version),
            ),
            (Answer::NotDone | Answer::None, _) => None,
        }
    }

    /// Holds the log to what was sent (P3): it gained nothing else. What was not done in an earlier life must not come up in
    /// a later one.
    pub(crate) fn hold_sent(&self, heard: &Heard) -> Option<Violation> {
        let sent: HashSet<u128> = heard.commands.values().map(|told| told.id).collect();
        let (_, stranger) = self.effects.iter().find(|(id, _)| !sent.contains(id))?;
        let what = format!("nobody sent what is stored since: {stranger:?}");
        Some(Violation::new("P3", what))
    }

    /// Holds what was shown to P2: commits that a follower saw are there, where they were, one after the other without a
    /// gap, and counts that queries answered were reached.
    pub(crate) fn hold_shown(&self, heard: &Heard) -> Vec<Violation> {
        let (mut broken, mut next) = (Vec::new(), None);
        for (offset, id) in &heard.shown {
            let there = self.effects.get(id);
            let is_next = next.is_none_or(|next| next == *offset);
            if there.is_none_or(|there| there.offset != *offset) || !is_next {
                let what = format!(
                    "a follower was shown a commit at offset {offset}, which is {there:?}; due was {next:?}"
                );
                broken.push(Violation::new("P2", what));
            }
            next = there.map(|there| there.last.offset.get() + 1);
        }
        for (stream, count) in &heard.looked {
            let there = self.versions.get(stream).copied().unwrap_or_default();
            if there < *count {
                let what = format!("a query of counter {stream} answered {count}, its events end at {there}");
                broken.push(Violation::new("P2", what));
            }
        }
        broken
    }

    /// Reads the streams that went on, each by itself, and holds them to the log (P4: the index behind it says the same).
    pub(crate) fn read_streams(&self, store: &Store) -> Vec<Violation> {
        let kind = AggregateType::from_static(Counter::TYPE);
        let mut broken = Vec::new();
        for number in &self.touched {
            let name = stream_name(*number);
            let id = name.as_str().try_into().expect("a valid id");
            let stream = StreamId::new(kind.clone(), id);
            let head = store
                .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))
                .map(|reached| reached.version().get());
            let expected = self.versions.get(number).copied().unwrap_or_default();
            if !matches!(head, Ok(head) if head == expected) {
                let what = format!("{stream} is at version {expected} in the log, read by itself: {head:?}");
                broken.push(Violation { promise: "P4", what });
            }
        }
        broken
    }

    pub(crate) fn events(&self) -> u64 {
        self.offset
    }
}

/// All events of one command, in order.
fn check_parts(commit: &StoredCommit<'_>, place: &str) -> Result<(), Violation> {
    let half = |what: String| Violation { promise: "P4", what };
    let mut seen = 0;
    let mut of = None;
    for event in commit.events() {
        let decoded = Counted::decode(event.name, event.schema, event.codec, event.payload);
        let Ok(Counted::Added {
            number, part, parts, ..
        }) = decoded
        else {
            return Err(half(format!("{place}: an event can't be read: {decoded:?}")));
        };
        seen += 1;
        if part != seen || *of.get_or_insert((number, parts)) != (number, parts) {
            return Err(half(format!(
                "{place}: part {part} of {parts} of command {number} at place {seen}"
            )));
        }
    }
    match of {
        Some((_, parts)) if parts == seen => Ok(()),
        _ => Err(half(format!("{place} holds {seen} events of {of:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use dormouse::{CommandId, Dormouse};

    use super::*;
    use crate::counter::Add;
    use crate::wire::Word;

    fn heard(sent: &[u128], shown: &[(u64, u128)]) -> Heard {
        let mut heard = Heard::default();
        for (number, id) in (1..).zip(sent.iter().copied()) {
            let stream = 7;
            heard.word(Word::Sent { number, stream, id });
        }
        for (offset, id) in shown.iter().copied() {
            heard.word(Word::Shown { offset, id });
        }
        heard
    }

    #[tokio::test]
    async fn what_nobody_sent_and_what_a_follower_was_not_shown_is_seen() {
        let builder = Dormouse::builder(Store::in_memory()).aggregate::<Counter>();
        let runtime = builder.start().await.expect("it starts");
        let counter = runtime.entity::<Counter>(stream_name(7)).expect("a valid id");
        let ids = [1, 2, 3].map(|number: u64| CommandId::from_key(&number.to_string()));
        let (mut numbers, mut shown) = (ids.map(CommandId::as_u128).to_vec(), Vec::new());
        for (number, id) in (1..).zip(ids) {
            shown.push((runtime.store().durable().next().get(), id.as_u128()));
            let done = counter.execute(Add::numbered(number)).id(id).await;
            done.expect("a healthy store");
        }
        let mut model = Model::default();
        let broken = model.read_on(runtime.store()).expect("it can be read");
        assert!(broken.is_empty(), "{broken:?}");

        let all = heard(&numbers, &shown);
        assert!(model.hold_sent(&all).is_none() && model.hold_shown(&all).is_empty());
        shown.remove(1);
        assert_eq!(
            model.hold_shown(&heard(&numbers, &shown)).len(),
            1,
            "one was left out"
        );
        numbers.pop();
        assert!(model.hold_sent(&heard(&numbers, &[])).is_some());
        runtime.shutdown().await.expect("it ends");
    }
}
