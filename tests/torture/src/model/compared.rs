//! What a failure's report says of the log beside what was told.

use std::fmt;

use dormouse::{Offset, Position, ShardId};
use serde::Serialize;

use super::Model;
use crate::heard::{Answer, Heard, Told};

/// A report names so many of what is missing, and of what is too much.
const NAMED: usize = 10;

/// What was acknowledged and what is there, of one child's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// The acknowledged command whose position is the highest.
    pub(crate) last_acknowledged: Option<Acknowledged>,
    /// Up to where the log could be read when it was opened; none if it did not open.
    pub(crate) recovered: Option<String>,
    /// Acknowledged, and not in the log as far as it could be read.
    pub(crate) missing: Few,
    /// In the log, and not sent, or answered *not done*.
    pub(crate) extra: Few,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Acknowledged {
    pub(crate) stream: u32,
    pub(crate) version: u64,
    /// As `shard:offset`, of its last event.
    pub(crate) position: String,
}

/// How many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Few {
    pub(crate) many: usize,
    pub(crate) first: Vec<String>,
}

impl Model {
    /// Of the log since [`Model::begin`] and what its child told.
    pub(crate) fn compare(&self, heard: &Heard) -> Compared {
        let done = |told: &Told| match told.answer {
            Answer::Done {
                version, position, ..
            } => Some((position, version, told.stream)),
            _ => None,
        };
        let last = heard.commands.values().filter_map(done).max();
        let mut compared = Compared {
            last_acknowledged: last.map(|(position, version, stream)| Acknowledged {
                stream,
                version,
                position: position.map_or_else(|| "none".to_owned(), |position| position.to_string()),
            }),
            ..Compared::default()
        };
        // what does not open can't be said to miss anything
        let Some(recovered) = self.recovered else {
            return compared;
        };
        compared.recovered = Some(Position::new(ShardId::FIRST, Offset::new(recovered)).to_string());
        let missing = heard.commands.values().filter_map(|told| {
            let (position, version, stream) = done(told)?;
            let what = format!("command {} to counter {stream}, version {version}", told.number);
            (!self.effects.contains_key(&told.id)).then_some((position, what))
        });
        compared.missing = Few::of(missing.collect());
        let by_id = heard.commands.values().map(|told| (told.id, told));
        let by_id: std::collections::HashMap<_, _> = by_id.collect();
        let extra = self.effects.iter().filter_map(|(id, effect)| {
            let why = match by_id.get(id).map(|told| told.answer) {
                None => "never sent",
                Some(Answer::NotDone) => "answered not done",
                Some(_) => return None,
            };
            let what = format!(
                "command {id:032x} at {}, version {} of counter {}, {why}",
                effect.last, effect.last_version, effect.stream
            );
            Some((Some(effect.last), what))
        });
        compared.extra = Few::of(extra.collect());
        compared
    }
}

impl Few {
    fn of(mut all: Vec<(Option<Position>, String)>) -> Self {
        all.sort();
        let name = |(position, what): &(Option<Position>, String)| match position {
            Some(position) => format!("{position}: {what}"),
            None => what.clone(),
        };
        Self {
            many: all.len(),
            first: all.iter().take(NAMED).map(name).collect(),
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last_acknowledged {
            Some(last) => writeln!(
                f,
                "last acknowledged: counter {}, version {}, position {}",
                last.stream, last.version, last.position
            )?,
            None => writeln!(f, "nothing was acknowledged in this life")?,
        }
        match &self.recovered {
            Some(recovered) => writeln!(f, "recovered up to position {recovered}")?,
            None => return writeln!(f, "recovered: nothing, it does not open"),
        }
        writeln!(f, "missing: {}", self.missing)?;
        writeln!(f, "extra: {}", self.extra)
    }
}

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.many)?;
        self.first.iter().try_for_each(|one| write!(f, "\n  {one}"))
    }
}
