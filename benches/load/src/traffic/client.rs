//! What one client does, command by command.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use dormouse::{CommandId, Dormouse, Entity};
use uuid::Uuid;

use crate::account::{Account, Attach, Deposit};
use crate::bank::account_id;
use crate::random::Random;
use crate::step::{Traffic, What};
use crate::zipf::Zipf;

/// Which account comes next.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    Even(u64),
    Zipf(Zipf, u64),
}

impl Keys {
    pub(crate) fn even(ids: u64) -> Self {
        Self::Even(ids)
    }

    pub(crate) fn zipf(ids: u64, exponent: f64) -> Self {
        Self::Zipf(Zipf::new(ids, exponent), ids)
    }

    fn choose(&self, random: &mut Random) -> u64 {
        match self {
            Self::Even(ids) => random.below(*ids),
            // Spread over the key space: the most wanted are no neighbours in the index.
            Self::Zipf(zipf, ids) => zipf.sample(random).wrapping_mul(0x9e37_79b1) % ids,
        }
    }

    fn ids(&self) -> u64 {
        match self {
            Self::Even(ids) | Self::Zipf(_, ids) => *ids,
        }
    }
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) bank: Dormouse,
    keys: Keys,
    what: What,
    seed: u64,
    errors: AtomicU64,
    sequences: AtomicU64,
}

/// One client's own.
#[derive(Debug)]
pub(crate) struct Client {
    random: Random,
    last: Option<(u64, CommandId, Deposit)>,
}

impl Fleet {
    pub(crate) fn new(bank: &Dormouse, traffic: &Traffic, keys: Keys, seed: u64) -> Self {
        Self {
            bank: bank.clone(),
            keys,
            what: traffic.what,
            seed,
            errors: AtomicU64::new(0),
            sequences: AtomicU64::new(0),
        }
    }

    /// A client with random numbers of its own.
    pub(crate) fn client(&self) -> Client {
        Client {
            random: Random::new(self.seed, self.sequences.fetch_add(1, Ordering::Relaxed)),
            last: None,
        }
    }

    pub(crate) fn random(&self) -> Random {
        Random::new(self.seed, u64::MAX)
    }

    /// Commands that were answered with an error, other than by ending the run.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    pub(crate) fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes every account, so that a run over a few thousand of them measures no activations.
    pub(crate) async fn wake_all(&self) -> Result<()> {
        const AT_ONCE: u64 = 256;
        for first in (0..self.keys.ids()).step_by(AT_ONCE as usize) {
            let mut waking = tokio::task::JoinSet::new();
            for number in first..(first + AT_ONCE).min(self.keys.ids()) {
                let account = self.account(number)?;
                waking.spawn(async move { account.query(|state| state.cents).await });
            }
            while let Some(woken) = waking.join_next().await {
                woken?.context("an account does not wake")?;
            }
        }
        Ok(())
    }

    /// As a service would: by name, for each request anew.
    pub(crate) fn account(&self, number: u64) -> Result<Entity<Account>> {
        Ok(self.bank.entity::<Account>(account_id(number))?)
    }

    /// Sends one command and waits for its answer.
    pub(crate) async fn send_one(&self, client: &mut Client) -> Result<()> {
        match self.what {
            What::Deposits => {
                let (number, deposit) = self.deposit(&mut client.random);
                let correlation = Uuid::from_u64_pair(client.random.next(), client.random.next());
                let account = self.account(number)?;
                account.execute(deposit).correlation(correlation).await?;
            }
            What::Ids { retries_per_mille } => self.send_with_id(client, retries_per_mille).await?,
            What::Mixed { queries_percent } => {
                let (number, deposit) = self.deposit(&mut client.random);
                let account = self.account(number)?;
                if client.random.below(100) < queries_percent {
                    account.query(|state| state.cents).await?;
                } else {
                    account.execute(deposit).await?;
                }
            }
            What::Documents { bytes } => {
                let number = self.keys.choose(&mut client.random);
                let document = client.random.bytes(bytes);
                self.account(number)?.execute(Attach { document }).await?;
            }
        }
        Ok(())
    }

    async fn send_with_id(&self, client: &mut Client, retries_per_mille: u64) -> Result<()> {
        let again = client.random.below(1_000) < retries_per_mille;
        let (number, id, deposit) = match client.last.take() {
            Some(last) if again => last,
            _ => {
                let (number, deposit) = self.deposit(&mut client.random);
                (number, CommandId::now(), deposit)
            }
        };
        let correlation = Uuid::from_u64_pair(client.random.next(), client.random.next());
        let account = self.account(number)?;
        let sent = account.execute(deposit.clone()).id(id).correlation(correlation);
        sent.await?;
        client.last = Some((number, id, deposit));
        Ok(())
    }

    fn deposit(&self, random: &mut Random) -> (u64, Deposit) {
        let number = self.keys.choose(random);
        let bits = random.next();
        let deposit = Deposit {
            cents: (bits & 0xffff) as i64,
            counterparty: (bits >> 16) as u32 & 0xff_ffff,
            invoice: (bits >> 40) as u32,
        };
        (number, deposit)
    }
}
