//! The account: what it is, what may happen to it, and who decides.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// An account in one currency. Amounts are in cents, so that nothing is rounded.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Who it belongs to; none before it is opened.
    pub(crate) owner: Option<String>,
    /// What is on it.
    pub(crate) cents: i64,
}

/// What happened to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum Entry {
    /// It was opened.
    Opened {
        /// Who for.
        owner: String,
    },
    /// Money came in.
    Deposited {
        /// How much.
        cents: i64,
    },
    /// Money went out.
    Withdrawn {
        /// How much.
        cents: i64,
        /// What for, in the payer's words.
        purpose: String,
    },
}

/// Why an account says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// There is no such account.
    #[error("the account is not open")]
    NotOpen,
    /// It is there already.
    #[error("the account is open already")]
    AlreadyOpen,
    /// An amount must be more than nothing.
    #[error("an amount must be positive, {cents} cents is not")]
    NotPositive {
        /// What was asked for.
        cents: i64,
    },
    /// There is not enough on it.
    #[error("{short} cents short")]
    Overdrawn {
        /// How much is missing.
        short: i64,
    },
}

/// Opens an account.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Open {
    /// Who for.
    pub(crate) owner: String,
}

/// Pays in. Replies with the balance after it.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Deposit {
    /// How much.
    pub(crate) cents: i64,
}

/// Pays out, if there is enough. Replies with the balance after it.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Withdraw {
    /// How much.
    pub(crate) cents: i64,
    /// What for.
    #[serde(default)]
    pub(crate) purpose: String,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Refusal;

    fn apply(&mut self, event: &Entry) {
        match event {
            Entry::Opened { owner } => self.owner = Some(owner.clone()),
            Entry::Deposited { cents } => self.cents += cents,
            Entry::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

impl Account {
    fn check(&self, cents: i64) -> Result<(), Refusal> {
        match (&self.owner, cents) {
            (None, _) => Err(Refusal::NotOpen),
            (_, ..=0) => Err(Refusal::NotPositive { cents }),
            _ => Ok(()),
        }
    }
}

impl Handle<Open> for Account {
    fn handle(&self, open: Open, _: &CommandContext<'_>) -> Decided<Self, Open> {
        if self.owner.is_some() {
            return Err(Refusal::AlreadyOpen);
        }
        Ok(Decision::event(Entry::Opened { owner: open.owner }))
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, deposit: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        self.check(deposit.cents)?;
        Ok(Decision::event(Entry::Deposited { cents: deposit.cents }).reply(|after| after.cents))
    }
}

impl Handle<Withdraw> for Account {
    fn handle(&self, withdraw: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
        self.check(withdraw.cents)?;
        let Withdraw { cents, purpose } = withdraw;
        if cents > self.cents {
            return Err(Refusal::Overdrawn {
                short: cents - self.cents,
            });
        }
        Ok(Decision::event(Entry::Withdrawn { cents, purpose }).reply(|after| after.cents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse::testing::given;

    #[test]
    fn an_account_is_never_overdrawn() {
        let opened = Entry::Opened { owner: "Ada".into() };
        given::<Account>([opened, Entry::Deposited { cents: 300 }])
            .when(Withdraw {
                cents: 500,
                purpose: "rent".into(),
            })
            .then_refused(Refusal::Overdrawn { short: 200 });
    }

    #[test]
    fn a_withdrawal_replies_with_what_is_left() {
        let opened = Entry::Opened { owner: "Ada".into() };
        given::<Account>([opened, Entry::Deposited { cents: 700 }])
            .when(Withdraw {
                cents: 500,
                purpose: "rent".into(),
            })
            .then_events([Entry::Withdrawn {
                cents: 500,
                purpose: "rent".into(),
            }])
            .then_reply(200);
    }

    #[test]
    fn nothing_happens_to_an_account_that_is_not_open() {
        given::<Account>([])
            .when(Deposit { cents: 1 })
            .then_refused(Refusal::NotOpen);
    }
}
