//! Random interleavings of commands, retries, evictions, restarts, crashes and failed batches, against a model that
//! knows the truth. proptest prints the seed and the smallest failing run, and keeps it under `proptest-regressions/`.

use std::collections::HashMap;

use dormouse_domain::{CommandError, CommandId, Version};
use dormouse_persistence::{AppendFault, MemoryDisk};
use dormouse_runtime::Dormouse;
use proptest::prelude::*;

use crate::bank::{Deposit, Overdrawn, Withdraw, account, bank_with};
use crate::basics::stream;

const ACCOUNTS: usize = 3;
const CASES: u32 = 96;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Deposit,
    Withdraw,
}

#[derive(Debug, Clone)]
enum Step {
    /// A new command, with a time-ordered id, a key, or none.
    Command {
        account: usize,
        kind: Kind,
        cents: i64,
        id: IdKind,
    },
    /// Any earlier command again, with its id.
    Retry {
        which: prop::sample::Index,
    },
    /// Several callers at once.
    Burst {
        account: usize,
        callers: usize,
    },
    Query {
        account: usize,
    },
    Evict,
    Restart,
    Crash,
    /// The next command's write fails, in one of the two ways; then the store is reopened.
    FailedBatch {
        account: usize,
        cents: i64,
        written: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum IdKind {
    TimeOrdered,
    Key,
    None,
}

fn step() -> impl Strategy<Value = Step> {
    let account = 0..ACCOUNTS;
    let id = prop_oneof![3 => Just(IdKind::TimeOrdered), 2 => Just(IdKind::Key), 1 => Just(IdKind::None)];
    let kind = prop_oneof![Just(Kind::Deposit), Just(Kind::Withdraw)];
    prop_oneof![
        8 => (account.clone(), kind, 1..100_i64, id)
            .prop_map(|(account, kind, cents, id)| Step::Command { account, kind, cents, id }),
        4 => any::<prop::sample::Index>().prop_map(|which| Step::Retry { which }),
        1 => (account.clone(), 2..8_usize).prop_map(|(account, callers)| Step::Burst { account, callers }),
        2 => account.clone().prop_map(|account| Step::Query { account }),
        2 => Just(Step::Evict),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => (account, 1..100_i64, any::<bool>())
            .prop_map(|(account, cents, written)| Step::FailedBatch { account, cents, written }),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    account: usize,
    kind: Kind,
    cents: i64,
    id: CommandId,
}

#[derive(Debug, Default, Clone, Copy)]
struct Modelled {
    cents: i64,
    version: u64,
}

/// What must be so.
#[derive(Default)]
struct Model {
    accounts: [Modelled; ACCOUNTS],
    /// The reply and version of each id that took effect.
    done: HashMap<(usize, CommandId), (i64, Version)>,
    sent: Vec<Sent>,
    keys: u64,
}

impl Model {
    fn decide(&mut self, sent: Sent) -> Result<(i64, Version, bool), Overdrawn> {
        if let Some((reply, version)) = self.done.get(&(sent.account, sent.id)) {
            return Ok((*reply, *version, true));
        }
        let (reply, version) = self.effect(sent.account, sent.kind, sent.cents)?;
        self.done.insert((sent.account, sent.id), (reply, version));
        Ok((reply, version, false))
    }

    fn effect(&mut self, account: usize, kind: Kind, cents: i64) -> Result<(i64, Version), Overdrawn> {
        let modelled = &mut self.accounts[account];
        match kind {
            Kind::Deposit => modelled.cents += cents,
            Kind::Withdraw if cents > modelled.cents => {
                return Err(Overdrawn {
                    short: cents - modelled.cents,
                });
            }
            Kind::Withdraw => modelled.cents -= cents,
        }
        modelled.version += 1;
        Ok((modelled.cents, Version::new(modelled.version)))
    }

    fn new_id(&mut self, kind: IdKind) -> CommandId {
        self.keys += 1;
        match kind {
            IdKind::Key => CommandId::from_key(&format!("key-{}", self.keys)),
            _ => CommandId::now(),
        }
    }
}

struct Run {
    disk: MemoryDisk,
    bank: Option<Dormouse>,
    model: Model,
}

impl Run {
    fn bank(&self) -> &Dormouse {
        self.bank.as_ref().expect("it is open between steps")
    }

    async fn open(&mut self) {
        // small bounds, so that every path is taken: forgotten ids, snapshots, evictions by memory
        let small = |builder: dormouse_runtime::Builder| {
            let idle = std::time::Duration::ZERO;
            builder
                .recent_ids(2)
                .snapshot_every(3)
                .passivate_after(idle)
                .memory_budget_bytes(6_000)
        };
        self.bank = Some(bank_with(&self.disk, small).await);
    }

    async fn send(&self, sent: Sent, with_id: bool) -> Result<(i64, Version, bool), CommandError<Overdrawn>> {
        let account = account(self.bank(), &format!("acc-{}", sent.account));
        let Sent { cents, id, .. } = sent;
        let receipt = match (sent.kind, with_id) {
            (Kind::Deposit, true) => account.execute(Deposit { cents }).id(id).receipt().await,
            (Kind::Deposit, false) => account.execute(Deposit { cents }).receipt().await,
            (Kind::Withdraw, true) => account.execute(Withdraw { cents }).id(id).receipt().await,
            (Kind::Withdraw, false) => account.execute(Withdraw { cents }).receipt().await,
        }?;
        Ok((receipt.reply, receipt.version, receipt.replayed))
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Command {
                account,
                kind,
                cents,
                id: IdKind::None,
            } => {
                let sent = Sent {
                    account,
                    kind,
                    cents,
                    id: CommandId::now(),
                };
                let expected = self
                    .model
                    .effect(account, kind, cents)
                    .map(|(reply, version)| (reply, version, false));
                prop_assert_eq!(
                    self.send(sent, false).await,
                    expected.map_err(CommandError::Refused)
                );
            }
            Step::Command {
                account,
                kind,
                cents,
                id,
            } => {
                let sent = Sent {
                    account,
                    kind,
                    cents,
                    id: self.model.new_id(id),
                };
                self.model.sent.push(sent);
                let expected = self.model.decide(sent);
                prop_assert_eq!(
                    self.send(sent, true).await,
                    expected.map_err(CommandError::Refused)
                );
            }
            Step::Retry { which } if !self.model.sent.is_empty() => {
                let sent = *which.get(&self.model.sent);
                let expected = self.model.decide(sent);
                prop_assert_eq!(
                    self.send(sent, true).await,
                    expected.map_err(CommandError::Refused)
                );
            }
            Step::Retry { .. } => {}
            Step::Burst { account, callers } => self.burst(account, callers).await?,
            Step::Query { account } => self.check_account(account).await?,
            Step::Evict => {
                self.bank().passivate_idle();
            }
            Step::Restart => {
                self.bank()
                    .shutdown()
                    .await
                    .map_err(|error| TestCaseError::fail(error.to_string()))?;
                self.bank = None;
                self.open().await;
            }
            Step::Crash => {
                self.bank = None;
                self.open().await;
            }
            Step::FailedBatch {
                account,
                cents,
                written,
            } => self.failed_batch(account, cents, written).await?,
        }
        Ok(())
    }

    async fn burst(&mut self, account: usize, callers: usize) -> Result<(), TestCaseError> {
        let entity = crate::bank::account(self.bank(), &format!("acc-{account}"));
        let calls: Vec<_> = (0..callers)
            .map(|_| {
                let entity = entity.clone();
                tokio::spawn(async move { entity.execute(Deposit { cents: 1 }).await })
            })
            .collect();
        for call in calls {
            prop_assert!(call.await.expect("no panic").is_ok());
            self.model
                .effect(account, Kind::Deposit, 1)
                .expect("a deposit is never refused");
        }
        self.check_account(account).await
    }

    async fn failed_batch(&mut self, account: usize, cents: i64, written: bool) -> Result<(), TestCaseError> {
        let sent = Sent {
            account,
            kind: Kind::Deposit,
            cents,
            id: self.model.new_id(IdKind::TimeOrdered),
        };
        self.model.sent.push(sent);
        self.disk.fail_append(if written {
            AppendFault::Written
        } else {
            AppendFault::NothingWritten
        });
        let told = self.send(sent, true).await;
        prop_assert!(matches!(told, Err(CommandError::Unknown(_))), "{:?}", told);
        let later = self.send(sent, true).await;
        prop_assert!(matches!(later, Err(CommandError::NotDone(_))), "{:?}", later);
        if written {
            self.model.decide(sent).expect("a deposit is never refused");
        }
        self.bank()
            .reopen()
            .await
            .map_err(|error| TestCaseError::fail(error.to_string()))
    }

    async fn check_account(&self, account: usize) -> Result<(), TestCaseError> {
        let id = format!("acc-{account}");
        let modelled = self.model.accounts[account];
        let state = crate::bank::account(self.bank(), &id)
            .query(|state| (state.cents, state.entries))
            .await;
        prop_assert_eq!(state, Ok((modelled.cents, modelled.version)));
        prop_assert_eq!(
            self.bank().store().head(&stream(&id)).expect("readable"),
            Version::new(modelled.version)
        );
        Ok(())
    }

    /// Versions and positions without a gap, over the whole log.
    fn check_log(&self) -> Result<(), TestCaseError> {
        let (mut offset, mut versions) = (0, HashMap::<String, u64>::new());
        self.bank()
            .store()
            .read_log(dormouse_domain::Offset::new(1), &mut |commit| {
                for event in commit.events() {
                    offset += 1;
                    assert_eq!(event.offset.get(), offset, "positions have no gaps");
                    let version = versions.entry(commit.id().to_owned()).or_default();
                    *version += 1;
                    assert_eq!(event.version.get(), *version, "versions have no gaps");
                }
                std::ops::ControlFlow::Continue(())
            })
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected: u64 = self.model.accounts.iter().map(|account| account.version).sum();
        prop_assert_eq!(offset, expected);
        Ok(())
    }
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut run = Run {
        disk: MemoryDisk::new(),
        bank: None,
        model: Model::default(),
    };
    run.open().await;
    for step in steps {
        run.step(step).await?;
    }
    for account in 0..ACCOUNTS {
        run.check_account(account).await?;
    }
    run.check_log()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: Some(Box::new(
        proptest::test_runner::FileFailurePersistence::WithSource("proptest-regressions"),
    )), ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_ends_as_the_model_says(steps in prop::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(run(steps))?;
    }
}
