//! Accounts in cqrs-es, as its documentation sets it up: `postgres_cqrs` on its default pool of 10 connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use cqrs_es::AggregateError;
use cqrs_es::persist::PersistedEventStore;
use postgres_es::{
    PostgresCqrs, PostgresEventRepository, default_postgress_pool, postgres_aggregate_cqrs, postgres_cqrs,
    postgres_snapshot_cqrs,
};
use sqlx::{Pool, Postgres};
use uuid::Uuid;

use crate::account::{Account, Deposit, account_id};
use crate::random::Random;
use crate::server::Server;
use crate::step::Store;

/// The event store below the framework.
pub(crate) type EventStore = PersistedEventStore<PostgresEventRepository, Account>;

/// What clients send their commands to.
pub(crate) struct Bank {
    pool: Pool<Postgres>,
    framework: PostgresCqrs<Account>,
    store: Store,
    conflicts: AtomicU64,
}

impl Bank {
    pub(crate) async fn open(server: &Server, store: Store) -> Result<Self> {
        let pool = default_postgress_pool(&server.url()).await;
        let framework = match store {
            Store::Events => postgres_cqrs(pool.clone(), Vec::new(), ()),
            Store::Snapshots { every } => postgres_snapshot_cqrs(pool.clone(), Vec::new(), every, ()),
            Store::Aggregates => postgres_aggregate_cqrs(pool.clone(), Vec::new(), ()),
        };
        Ok(Self {
            pool,
            framework,
            store,
            conflicts: AtomicU64::new(0),
        })
    }

    /// Sends one deposit, again and again for as long as others were faster.
    pub(crate) async fn deposit(&self, number: u64, random: &mut Random) -> Result<()> {
        let id = account_id(number);
        let deposit = Deposit::random(random);
        let metadata = correlation(random);
        loop {
            let sent = self
                .framework
                .execute_with_metadata(&id, deposit.clone(), metadata.clone());
            match sent.await {
                Err(AggregateError::AggregateConflict) => {
                    self.conflicts.fetch_add(1, Ordering::Relaxed);
                }
                ended => return Ok(ended?),
            }
        }
    }

    /// Tries that another client's commit made useless.
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// The store of the same kind on the same pool.
    pub(crate) fn store(&self) -> EventStore {
        let repository = PostgresEventRepository::new(self.pool.clone());
        match self.store {
            Store::Events => EventStore::new_event_store(repository),
            Store::Snapshots { every } => EventStore::new_snapshot_store(repository, every),
            Store::Aggregates => EventStore::new_aggregate_store(repository),
        }
    }

    /// Ends all sessions.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// What Dormouse stores with each commit has its place in the metadata here.
pub(crate) fn correlation(random: &mut Random) -> HashMap<String, String> {
    let id = Uuid::from_u64_pair(random.next(), random.next());
    HashMap::from([("correlation_id".into(), id.to_string())])
}
