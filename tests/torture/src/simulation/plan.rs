//! What a seed does: a configuration, and operations. All of it is fixed before anything runs, so that operations can be
//! left out of a run that failed.

use crate::random::Random;

/// Sizes of runs: of a batch each, of a few, of many, and none.
pub(crate) const GENERATION_BYTES: [usize; 4] = [1, 800, 3_000, 1 << 20];

/// The bounds of one seed's world: small ones, so that each is met.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) streams: u64,
    pub(crate) mailbox: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) budget_bytes: usize,
    pub(crate) recent_ids: usize,
    pub(crate) snapshot_every: u32,
    pub(crate) readers: usize,
    /// Of the first life; each other one has its own.
    pub(crate) generation_bytes: usize,
    pub(crate) batch_commits_max: usize,
    pub(crate) queue_commits_max: usize,
    /// Steps that follow an operation, at most.
    pub(crate) steps_max: u64,
}

/// What is done. The numbers of an operation choose the rest when it is its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new command.
    Command,
    /// An earlier command again.
    Retry,
    /// The id of an earlier command, with another one.
    Reuse,
    Query,
    /// A caller's time is up.
    GiveUp,
    /// A caller goes away.
    Leave,
    /// Time passes: a little, or past every deadline.
    Tick,
    Late,
    /// What was idle is evicted.
    Passivate,
    MakeRoom,
    /// The next batch fails.
    FailAppend,
    Reopen,
    /// Process or machine end and come back.
    Crash,
    Restart,
    /// Everything that was begun is ended.
    Settle,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    pub(crate) choices: [u64; 4],
    /// Of the steps that follow.
    pub(crate) schedule: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) configuration: Configuration,
    pub(crate) operations: Vec<Operation>,
}

/// How often each is done, of all of them together.
const WEIGHTS: [(Kind, u64); 15] = [
    (Kind::Command, 40),
    (Kind::Retry, 14),
    (Kind::Reuse, 3),
    (Kind::Query, 10),
    (Kind::GiveUp, 3),
    (Kind::Leave, 2),
    (Kind::Tick, 6),
    (Kind::Late, 1),
    (Kind::Passivate, 7),
    (Kind::MakeRoom, 2),
    (Kind::FailAppend, 2),
    (Kind::Reopen, 3),
    (Kind::Crash, 2),
    (Kind::Restart, 1),
    (Kind::Settle, 4),
];

impl Plan {
    pub(crate) fn of(seed: u64, operations: u32) -> Self {
        let mut random = Random::new(seed, 0);
        let configuration = Configuration::of(&mut random);
        // a seed leaves some kinds out and does others often: what never happens together in a mixture does in some
        let weights = WEIGHTS.map(|(kind, weight)| match random.below(4) {
            0 if kind != Kind::Command => (kind, 0),
            1 => (kind, 3 * weight),
            _ => (kind, weight),
        });
        let all: u64 = weights.iter().map(|(_, weight)| weight).sum();
        let operation = |_| {
            let mut left = random.below(all);
            let drawn = weights.iter().find(|(_, weight)| {
                let hit = left < *weight;
                left = left.saturating_sub(*weight);
                hit
            });
            Operation {
                kind: drawn.expect("the weights add up").0,
                choices: std::array::from_fn(|_| random.next()),
                schedule: random.next(),
            }
        };
        let operations = (0..operations).map(operation).collect();
        Self {
            configuration,
            operations,
        }
    }
}

impl Configuration {
    fn of(random: &mut Random) -> Self {
        let mut one_of = |values: &[usize]| values[random.below(values.len() as u64) as usize];
        Self {
            streams: one_of(&[1, 2, 4, 8]) as u64,
            mailbox: one_of(&[2, 5, 1_000]),
            in_flight_max: one_of(&[4, 9, 1_000]),
            budget_bytes: one_of(&[1, 4_000, 8_000, 1 << 20]),
            recent_ids: one_of(&[1, 2, 5, 64]),
            snapshot_every: one_of(&[0, 2, 5, 20]) as u32,
            readers: one_of(&[1, 3]),
            generation_bytes: one_of(&GENERATION_BYTES),
            batch_commits_max: one_of(&[1, 3, 1_000]),
            queue_commits_max: one_of(&[1, 4, 1_000]),
            steps_max: one_of(&[2, 8, 24]) as u64,
        }
    }
}
