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
use crate::model::{Answer, Heard, Model, Told};
use crate::tally::Tally;
use crate::violation::Violation;
use crate::wire::Turn;

/// A child whose disk is sound ends when it is killed, its store never stops, and nothing in it panics (P10, P11). But a
/// store without its `derived/` may stop, or not open. `ended`: how the child ended, unless it was killed.
pub(crate) fn hold_sound(heard: &Heard, ended: Option<ExitStatus>, derived: Derived) -> Option<Violation> {
    let may_stop = matches!(derived, Derived::DeletedRunning(_));
    match (heard.turn, ended) {
        (Some(Turn::Stopped), _) | (None, Some(_)) if may_stop => None,
        (None, None) => None,
        (turn, ended) => {
            let what = format!("a child on a sound disk says {turn:?}, and ends by itself: {ended:?}");
            Some(Violation::new("P11", what))
        }
    }
}

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
        for told in heard.commands.values().filter(|told| told.answer == Answer::None) {
            let had_effect = model.effect(told.id);
            let kind = if had_effect.is_some() {
                "unknown, done"
            } else {
                "unknown, not done"
            };
            tally.count(kind, 1);
            broken.extend(settle(&runtime, told, had_effect).await);
        }
        broken.extend(model.read_on(runtime.store())?);
    }
    runtime.shutdown().await?;
    Ok(broken)
}

/// Sends again what was not answered: exactly one effect, and the reply of that one (P3, P6).
async fn settle(runtime: &Dormouse, told: &Told, had_effect: Option<u64>) -> Option<Violation> {
    let counter = runtime
        .entity::<Counter>(stream_name(told.stream))
        .expect("a valid id");
    let id = CommandId::from(Uuid::from_u128(told.id));
    let again = counter.execute(Add::numbered(told.number)).id(id);
    let again = again.within(UNHURRIED).receipt().await;
    match (again, had_effect) {
        (Ok(receipt), Some(version)) if receipt.replayed && receipt.reply == version => None,
        (Ok(receipt), None) if !receipt.replayed && receipt.reply == receipt.version.get() => None,
        (answer, before) => Some(Violation::new(
            "P6",
            format!(
                "command {} to counter {} sent again: it had taken effect at version {before:?}; answered {answer:?}",
                told.number, told.stream
            ),
        )),
    }
}
