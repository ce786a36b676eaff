//! The reference: a plain list of events a stream, as the log gained them, and who may have caused them.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use dormouse::{Event, Offset, Store, StoredCommit};

use super::account::{Entry, Seen};
use crate::violation::Violation;

/// What one command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) stream: usize,
    pub(crate) number: u64,
    pub(crate) id: Option<u128>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) last_offset: u64,
    pub(crate) at_ms: u64,
}

#[derive(Debug)]
struct Stream {
    /// By version; the first is that of nothing.
    states: Vec<Seen>,
    /// By the order in which they were sent: the version at which each answer stands, and whether it made it.
    answered: BTreeMap<u64, (u64, bool)>,
}

/// Everything that is durable.
#[derive(Debug)]
pub(crate) struct Truth {
    offset: u64,
    streams: Vec<Stream>,
    log: Vec<Effect>,
    by_number: HashMap<u64, usize>,
    by_id: HashMap<(usize, u128), usize>,
}

impl Truth {
    pub(crate) fn new(streams: u64) -> Self {
        let stream = |_| Stream {
            states: vec![Seen::default()],
            answered: BTreeMap::new(),
        };
        Self {
            offset: 0,
            streams: (0..streams).map(stream).collect(),
            log: Vec::new(),
            by_number: HashMap::new(),
            by_id: HashMap::new(),
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn head(&self, stream: usize) -> u64 {
        self.streams[stream].states.len() as u64 - 1
    }

    pub(crate) fn effect(&self, number: u64) -> Option<Effect> {
        self.by_number.get(&number).map(|at| self.log[*at])
    }

    pub(crate) fn effect_of_id(&self, stream: usize, id: u128) -> Option<Effect> {
        self.by_id.get(&(stream, id)).map(|at| self.log[*at])
    }

    /// The state at a version, if that is durable.
    pub(crate) fn state(&self, stream: usize, version: u64) -> Option<Seen> {
        self.streams[stream].states.get(version as usize).copied()
    }

    /// Reads what the log gained (P4, P6). Each new commit is shown.
    pub(crate) fn read_on(&mut self, store: &Store, new: &mut Vec<Effect>) -> Result<(), Violation> {
        let mut broken = None;
        let read = store.read_log(
            Offset::new(self.offset + 1),
            &mut |commit| match self.commit(commit) {
                Ok(effect) => {
                    new.push(effect);
                    ControlFlow::Continue(())
                }
                Err(violation) => {
                    broken = Some(violation);
                    ControlFlow::Break(())
                }
            },
        );
        match (read, broken) {
            (_, Some(broken)) => Err(broken),
            (Err(error), None) => Err(Violation::new("P1", format!("the log can't be read: {error}"))),
            (Ok(_), None) => Ok(()),
        }
    }

    /// After an opening: what was durable is still so, and the same (P1).
    pub(crate) fn read_again(&self, store: &Store) -> Result<(), Violation> {
        let (mut at, mut differs) = (0, None);
        let read = store.read_log(Offset::new(1), &mut |commit| {
            let (found, known) = (effect(commit), self.log.get(at));
            at += 1;
            match known {
                Some(known) if found.as_ref().is_ok_and(|found| found.0 == *known) => {
                    ControlFlow::Continue(())
                }
                Some(known) => {
                    differs = Some(format!("{known:?} was durable, now there is {found:?}"));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Break(()),
            }
        });
        if let Err(error) = read {
            return Err(Violation::new("P1", format!("the log can't be read: {error}")));
        }
        if differs.is_none() && at < self.log.len() {
            differs = Some(format!("{at} of {} commits are left", self.log.len()));
        }
        differs.map_or(Ok(()), |what| Err(Violation::new("P1", what)))
    }

    fn commit(&mut self, commit: &StoredCommit<'_>) -> Result<Effect, Violation> {
        let (effect, entries) = effect(commit).map_err(|what| Violation::new("P4", what))?;
        let first_offset = effect.last_offset + 1 - entries.len() as u64;
        let stream = self
            .streams
            .get_mut(effect.stream)
            .ok_or_else(|| Violation::new("P4", format!("{effect:?} is of no stream")))?;
        let next = stream.states.len() as u64;
        if (effect.first, first_offset) != (next, self.offset + 1) {
            let due = (next, self.offset + 1);
            let what = format!("{effect:?} at offset {first_offset}: version and offset due are {due:?}");
            return Err(Violation::new("P4", what));
        }
        for entry in &entries {
            let before = *stream.states.last().expect("there is the state of nothing");
            stream.states.push(before.after(entry));
        }
        self.offset = effect.last_offset;
        let at = self.log.len();
        self.log.push(effect);
        let again = self.by_number.insert(effect.number, at);
        let again = again.or(effect
            .id
            .and_then(|id| self.by_id.insert((effect.stream, id), at)));
        match again {
            Some(first) => Err(Violation::new(
                "P6",
                format!("{effect:?} took effect before, as {:?}", self.log[first]),
            )),
            None => Ok(effect),
        }
    }

    /// An answer to what was sent as `sent`: it stands at `version`, and made it or saw it. Commands and queries of a stream
    /// are handled in the order in which they were sent (P7), on what is durable when they are answered (P2).
    pub(crate) fn answered(
        &mut self,
        stream: usize,
        sent: u64,
        version: u64,
        is_effect: bool,
    ) -> Result<(), Violation> {
        let answered = &mut self.streams[stream].answered;
        let fits = |(before, _): (u64, bool), (after, makes): (u64, bool)| {
            if makes { before < after } else { before <= after }
        };
        let this = (version, is_effect);
        let before = answered.range(..sent).next_back().map(|(_, answer)| *answer);
        let after = answered.range(sent + 1..).next().map(|(_, answer)| *answer);
        let in_order =
            before.is_none_or(|before| fits(before, this)) && after.is_none_or(|after| fits(this, after));
        answered.insert(sent, this);
        if in_order {
            return Ok(());
        }
        let what = format!(
            "an answer at version {version} between those sent before, {before:?}, and after, {after:?}"
        );
        Err(Violation::new("P7", what))
    }
}

/// What a commit says of itself, whole.
fn effect(commit: &StoredCommit<'_>) -> Result<(Effect, Vec<Entry>), String> {
    let decoded = commit
        .events()
        .map(|event| Entry::decode(event.name, event.schema, event.codec, event.payload));
    let entries: Vec<Entry> = decoded
        .collect::<Result<_, _>>()
        .map_err(|error| format!("an event can't be decoded: {error}"))?;
    let (number, at_ms) = match entries.first() {
        Some(Entry::Moved { number, at_ms, .. }) => (*number, *at_ms),
        None => return Err("a commit without events".to_owned()),
    };
    let count = entries.len();
    let whole = (1..).zip(&entries).all(|(place, entry)| {
        let Entry::Moved {
            number: of,
            part,
            parts,
            ..
        } = entry;
        (*of, *part, usize::from(*parts)) == (number, place, count)
    });
    if !whole {
        return Err(format!("half a command: {entries:?}"));
    }
    let stream = commit
        .id()
        .strip_prefix("a-")
        .and_then(|number| number.parse().ok());
    let effect = Effect {
        stream: stream.ok_or_else(|| format!("a stream that nobody named: {}", commit.id()))?,
        number,
        id: commit.command().map(|command| command.id.as_u128()),
        first: commit.first_version().get(),
        last: commit.last_version().get(),
        last_offset: commit.last_offset().get(),
        at_ms,
    };
    Ok((effect, entries))
}
