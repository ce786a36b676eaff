//! Deciding and encoding, as an entity does it: pure.

use std::hint::black_box;

use dormouse::store::{Commit, CommitBuilder};
use dormouse::{
    Aggregate, AggregateType, Codec, CommandContext, Handle, Metadata, StreamId, Timestamp, Version,
};
use dormouse_domain::fold;

use super::Go;
use crate::account::{Account, Deposit};

/// An account at its version, without a runtime around it.
pub(super) struct Decider {
    pub(super) stream: StreamId,
    state: Account,
    version: Version,
    metadata: Metadata,
}

impl Decider {
    pub(super) fn new(id: &str) -> Self {
        let id = id.try_into().expect("a valid id");
        Self {
            stream: StreamId::new(AggregateType::from_static(Account::TYPE), id),
            state: Account::default(),
            version: Version::NONE,
            metadata: Metadata::default(),
        }
    }

    /// Takes one deposit; what is to be stored of it.
    pub(super) fn deposit(&mut self, deposit: Deposit) -> Commit {
        let context = CommandContext::new(
            &self.stream.id,
            self.version,
            Timestamp::EPOCH,
            None,
            &self.metadata,
        );
        let Ok(decision) = self.state.handle(deposit, &context);
        let mut commit = CommitBuilder::new(&self.stream, self.version.next());
        let reply = fold(&mut self.state, decision, |event| {
            commit.event(event, Codec::Bincode)
        });
        black_box(reply.expect("a deposit is encodable"));
        self.version = commit.last_version();
        commit.finish().expect("a deposit is one small event")
    }
}

pub(super) fn decide() -> Go {
    let mut decider = Decider::new("acc-00000001");
    let mut number = 0;
    Box::new(move |times| {
        for _ in 0..times {
            number += 1;
            black_box(decider.deposit(Deposit::number(number)));
        }
    })
}
