//! Who has logged in to the console: a random id in a cookie stands for a token.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use crate::scope::Scope;

/// A working day; then whoever it is logs in anew.
const LASTS: Duration = Duration::from_secs(10 * 60 * 60);
/// Sessions at once. At the bound the one that began first ends.
const SESSIONS_MAX: usize = 64;
/// Random bytes of an id: 256 bits.
const ID_BYTES: usize = 32;

/// What a cookie holds, in hexadecimal: as secret as a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId(String);

impl SessionId {
    pub(super) fn of_cookie(value: &str) -> Self {
        Self(value.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// Whom a session stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) scope: Scope,
    /// The name of the token that it was begun with.
    pub(crate) token: String,
}

struct Entry {
    id: SessionId,
    session: Session,
    ends: Instant,
}

/// Oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<Entry>>);

impl Sessions {
    /// None if the system has no random bits.
    pub(crate) fn begin(&self, session: Session, now: Instant) -> Option<SessionId> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes).ok()?;
        let id = SessionId(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        let mut entries = self.0.lock();
        entries.retain(|entry| entry.ends > now);
        if entries.len() >= SESSIONS_MAX {
            entries.remove(0);
        }
        entries.push(Entry {
            id: id.clone(),
            session,
            ends: now + LASTS,
        });
        Some(id)
    }

    pub(crate) fn find(&self, id: &SessionId, now: Instant) -> Option<Session> {
        let entries = self.0.lock();
        let found = entries.iter().find(|entry| is(entry, id) && entry.ends > now);
        found.map(|entry| entry.session.clone())
    }

    pub(crate) fn end(&self, id: &SessionId) {
        self.0.lock().retain(|entry| !is(entry, id));
    }
}

fn is(entry: &Entry, id: &SessionId) -> bool {
    entry.id.0.as_bytes().ct_eq(id.0.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(token: &str) -> Session {
        Session {
            scope: Scope::Read,
            token: token.into(),
        }
    }

    #[test]
    fn a_session_lasts_until_it_is_ended_or_over() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let id = sessions.begin(of("mine"), now).unwrap();
        let other = sessions.begin(of("other"), now).unwrap();
        assert_eq!((id.0.len(), id == other), (2 * ID_BYTES, false));
        assert_eq!(sessions.find(&id, now), Some(of("mine")));
        assert_eq!(sessions.find(&SessionId::of_cookie(&id.0[1..]), now), None);
        assert_eq!(sessions.find(&id, now + LASTS), None);
        sessions.end(&id);
        assert_eq!(sessions.find(&id, now), None);
        assert_eq!(sessions.find(&other, now), Some(of("other")));
    }

    #[test]
    fn at_the_bound_the_oldest_ends() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.begin(of("first"), now).unwrap();
        let second = sessions.begin(of("second"), now).unwrap();
        for _ in 1..SESSIONS_MAX {
            sessions.begin(of("more"), now).unwrap();
        }
        assert_eq!(sessions.find(&first, now), None);
        assert_eq!(sessions.find(&second, now), Some(of("second")));
    }
}
