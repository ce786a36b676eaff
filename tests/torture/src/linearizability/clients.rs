//! Clients that send and ask again, and one who makes trouble.

use std::cell::Cell;
use std::time::Duration;

use dormouse::{CommandError, CommandId, QueryError};

use super::history::{End, History};
use super::house::House;
use super::specification::{Asked, Told};
use crate::random::Random;
use crate::simulation::account::{Account, Book, Move, Planned, Seen, Short};

const CLIENTS: u64 = 4;
/// What each sends, retries not counted: the checker's work grows fast with what overlaps.
const CALLS: u64 = 8;
/// Attempts at one command until it is settled.
const ATTEMPTS_MAX: u32 = 50;
/// A store that stopped is not there again at once.
const BEFORE_RETRY: Duration = Duration::from_millis(2);
/// Failures and crashes in one history, at most: each leaves calls unknown, and the checker tries every order of them.
const FAILURES_MAX: u32 = 3;
/// Whoever is not answered for so long never is.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last look is tried again after so long: an activation that failed before the store was reopened is remembered.
const BEFORE_LOOK: Duration = Duration::from_millis(100);
const AGGREGATE: &str = "the-one";

/// One history, from the first call to the last answer.
pub(crate) async fn live(house: &House, mut random: Random) -> History {
    let history = History::default();
    let seeds: Vec<u64> = (0..=CLIENTS).map(|_| random.next()).collect();
    let client = |number: u64| {
        client(
            house,
            &history,
            number,
            Random::new(seeds[number as usize], number),
        )
    };
    let are_done = Cell::new(false);
    let clients = async {
        tokio::join!(client(0), client(1), client(2), client(3));
        are_done.set(true);
    };
    // it ends what it began: a house that crashed is open again
    tokio::join!(
        clients,
        trouble(house, Random::new(seeds[CLIENTS as usize], CLIENTS), &are_done)
    );
    house.reopen().await;
    let mut attempts = 0;
    while !query(house, &history).await && attempts < ATTEMPTS_MAX {
        attempts += 1;
        tokio::time::sleep(BEFORE_LOOK).await;
    }
    house.stored(AGGREGATE, |number| history.stored(number));
    history
}

async fn client(house: &House, history: &History, client: u64, mut random: Random) {
    for call in 0..CALLS {
        pause(&mut random).await;
        if random.below(4) == 0 {
            let _ = query(house, history).await;
        } else {
            command(house, history, CALLS * client + call, &mut random).await;
        }
    }
}

/// Sends a command until it is settled, and then now and then once more.
async fn command(house: &House, history: &History, number: u64, random: &mut Random) {
    let command = Move {
        number,
        cents: random.below(150) as i64 - 60,
        parts: 1 + random.below(2) as u8,
        planned: Planned::Nothing,
    };
    let id = match random.below(2) {
        0 => CommandId::now(),
        _ => CommandId::from_key(&format!("key-{number}")),
    };
    for _ in 0..ATTEMPTS_MAX {
        let is_settled = execute(house, history, command, id, random).await;
        if is_settled && random.below(4) > 0 {
            return;
        }
        pause(random).await;
    }
}

/// One attempt. Whether the command is settled by it.
async fn execute(
    house: &House,
    history: &History,
    command: Move,
    id: CommandId,
    random: &mut Random,
) -> bool {
    let entity = house.runtime().entity::<Account>(AGGREGATE).expect("a valid id");
    let call = history.asked(Asked::Execute(command));
    let mut execute = entity.execute(command).id(id);
    if random.below(8) == 0 {
        execute = execute.within(Duration::from_micros(random.below(2_000)));
    }
    let Ok(answer) = tokio::time::timeout(PATIENCE, execute.receipt()).await else {
        return true; // it is left open
    };
    let said = format!("{answer:?}");
    let (end, is_settled) = match answer {
        Ok(receipt) => {
            let (after, replayed) = (receipt.reply, receipt.replayed);
            (End::Told(Told::Replied { after, replayed }), true)
        }
        Err(CommandError::Refused(Short { seen })) => (End::Told(Told::Refused { at: seen }), true),
        Err(CommandError::NotDone(_)) => (End::NotDone, false),
        Err(_) => (End::Unknown, false),
    };
    history.ended(call, end, said);
    if !is_settled {
        tokio::time::sleep(BEFORE_RETRY).await;
    }
    is_settled
}

/// Whether it was answered with a state.
async fn query(house: &House, history: &History) -> bool {
    let entity = house.runtime().entity::<Account>(AGGREGATE).expect("a valid id");
    let call = history.asked(Asked::Query);
    let seen: Result<Result<Seen, QueryError>, _> =
        tokio::time::timeout(PATIENCE, entity.query(Account::seen)).await;
    let Ok(seen) = seen else {
        return false; // it is left open
    };
    let said = format!("{seen:?}");
    let end = seen.map_or(End::NotDone, |seen| End::Told(Told::Saw(seen)));
    history.ended(call, end, said);
    matches!(end, End::Told(_))
}

/// Makes trouble until the clients are done.
async fn trouble(house: &House, mut random: Random, clients_are_done: &Cell<bool>) {
    let mut failures = 0;
    while !clients_are_done.get() {
        pause(&mut random).await;
        let what = random.below(16);
        failures += u32::from(what < 2);
        match what {
            _ if house.is_stopped() => house.reopen().await,
            0 | 1 if failures > FAILURES_MAX => {}
            0 => {
                house.fail_append(random.below(2) == 0);
                pause(&mut random).await;
                house.reopen().await;
            }
            1 => house.crash().await.expect("it starts again after a crash"),
            2..6 => {
                let held = house.hold_appends();
                pause(&mut random).await;
                drop(held);
            }
            _ => drop(house.runtime().passivate_idle()),
        }
    }
}

/// Now and then a moment, or longer than a write in memory takes.
async fn pause(random: &mut Random) {
    match random.below(3) {
        0 => {}
        1 => tokio::task::yield_now().await,
        _ => tokio::time::sleep(Duration::from_micros(random.below(1_500))).await,
    }
}
