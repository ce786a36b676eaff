//! Opens what a child left, and holds it to what the child told.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::Result;
use dormouse::{CommandId, Dormouse};
use uuid::Uuid;

use crate::child;
use crate::counter::{Add, Counter, stream_name};
use crate::derived::Derived;
use crate::findings::UNHURRIED;
use crate::heard::{Answer, Heard, Told};
use crate::model::{Effect, Model};
use crate::tally::Tally;
use crate::violation::Violation;
use crate::wire::Turn;

/// A child whose disk is sound ends when it is killed, its store never stops, it knows what became of every command, and
/// nothing in it panics (P10, P11). But a store without its `derived/` may stop, or not open. `ended`: how the child
/// ended, unless it was killed.
pub(crate) fn hold_sound(heard: &Heard, ended: Option<ExitStatus>, derived: Derived) -> Option<Violation> {
    let may_stop = derived.is_under_its_hands();
    let is_excused = |turn: &&Turn| may_stop && **turn == Turn::Stopped;
    let turns: Vec<_> = heard.turns.iter().filter(|turn| !is_excused(turn)).collect();
    let ended = ended.filter(|status| !(may_stop && status.code() == Some(FAILED)));
    let unknown = if may_stop { 0 } else { heard.unknown };
    if turns.is_empty() && ended.is_none() && unknown == 0 {
        return None;
    }
    let what = format!(
        "a child on a sound disk says {turns:?}, answers unknown {unknown} times, and ends by itself: {ended:?}"
    );
    Some(Violation::new("P11", what))
}

/// How a child ends that can't open its store: in order.
const FAILED: i32 = 1;

/// What is broken; a store that does not open breaks P1.
pub(crate) async fn judge(
    store: &Path,
    model: &mut Model,
    heard: &Heard,
    tally: &mut Tally,
) -> Vec<Violation> {
    let judged = open_and_judge(store, model, heard, tally).await;
    judged.unwrap_or_else(|error| {
        vec![Violation::new(
            "P1",
            format!("the store does not open: {error:#}"),
        )]
    })
}

async fn open_and_judge(
    store: &Path,
    model: &mut Model,
    heard: &Heard,
    tally: &mut Tally,
) -> Result<Vec<Violation>> {
    model.begin();
    let opening = Instant::now();
    let runtime = child::open(store).await?;
    tally.longest("opening, ms", opening.elapsed().as_millis() as u64);
    let mut broken = model.read_on(runtime.store())?;
    broken.extend(model.read_streams(runtime.store()));
    broken.extend(heard.commands.values().filter_map(|told| model.hold(told)));
    broken.extend(model.hold_sent(heard));
    broken.extend(model.hold_shown(heard));
    tally.count("acknowledged", heard.acknowledged() as u64);
    tally.count("shown to a follower", heard.shown.len() as u64);
    if broken.is_empty() {
        let mut settled = Vec::new();
        for told in heard.commands.values().filter(|told| told.answer == Answer::None) {
            let had_effect = model.effect(told.id);
            let kind = if had_effect.is_some() {
                "unknown, done"
            } else {
                "unknown, not done"
            };
            tally.count(kind, 1);
            match settle(&runtime, told, had_effect).await {
                Ok(told) => settled.push(told),
                Err(violation) => broken.push(violation),
            }
        }
        broken.extend(model.read_on(runtime.store())?);
        let differs = settled.iter().filter_map(|told| model.hold(told));
        broken.extend(differs.map(|broken| Violation::new("P6", format!("sent again: {}", broken.what))));
    }
    runtime.shutdown().await?;
    Ok(broken)
}

/// Sends again what was not answered: exactly one effect, and the reply of that one (P3, P6). What is told then is to be
/// held to the log like what was told before.
async fn settle(runtime: &Dormouse, told: &Told, had_effect: Option<Effect>) -> Result<Told, Violation> {
    let counter = runtime
        .entity::<Counter>(stream_name(told.stream))
        .expect("a valid id");
    let id = CommandId::from(Uuid::from_u128(told.id));
    let again = counter.execute(Add::numbered(told.number)).id(id);
    let again = again.within(UNHURRIED).receipt().await;
    match again {
        Ok(receipt) if receipt.replayed == had_effect.is_some() => {
            let answer = Answer::Done {
                version: receipt.version.get(),
                reply: receipt.reply,
                position: receipt.position,
            };
            Ok(Told { answer, ..*told })
        }
        answer => Err(Violation::new(
            "P6",
            format!(
                "command {} to counter {} sent again: it had had the effect {had_effect:?}; answered {answer:?}",
                told.number, told.stream
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::Word;

    #[test]
    fn only_stopping_is_excused_and_only_without_derived() {
        let mut heard = Heard::default();
        heard.word(Word::Turn(Turn::Stopped));
        heard.word(Word::Unknown { number: 1 });
        let deleted = Derived::DeletedRunning(Duration::ZERO);
        assert!(hold_sound(&heard, None, deleted).is_none());
        assert!(hold_sound(&heard, None, Derived::DeletedBefore).is_some());
        heard.word(Word::Turn(Turn::NotFollowed));
        assert!(
            hold_sound(&heard, None, deleted).is_some(),
            "a later turn is held, too"
        );

        let mut heard = Heard::default();
        assert!(hold_sound(&heard, None, Derived::Kept).is_none());
        heard.word(Word::Unknown { number: 1 });
        assert!(hold_sound(&heard, None, Derived::Kept).is_some());
    }
}
