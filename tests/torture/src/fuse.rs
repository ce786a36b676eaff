//! An aggregate whose code panics where it is told to.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// What every panic here says: it belongs to the harness.
pub(crate) const PLANNED: &str = "a planned panic";

/// Where it panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Handle,
    Apply,
    Then,
    Reply,
    Serialize,
    /// Not at once: when the event is read again.
    Deserialize,
}

impl Place {
    pub(crate) const AT_ONCE: [Self; 5] = [
        Self::Handle,
        Self::Apply,
        Self::Then,
        Self::Reply,
        Self::Serialize,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Apply => "apply",
            Self::Then => "then",
            Self::Reply => "reply",
            Self::Serialize => "an event's Serialize",
            Self::Deserialize => "an event's Deserialize",
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fuse {
    pub(crate) count: u64,
}

#[derive(Debug, Event, Serialize, Deserialize)]
pub(crate) enum Burned {
    /// Nothing wrong with it.
    Lit {
        /// The command's number.
        number: u64,
    },
    /// Can't be applied.
    Short {
        /// The command's number.
        number: u64,
    },
    /// Can't be written.
    Unwritable {
        /// Panics.
        wire: Unwritable,
    },
    /// Can be written, and not read.
    Unreadable {
        /// Panics.
        wire: Unreadable,
    },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("{PLANNED}")
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("{PLANNED}")
    }
}

/// One event more, or a panic; replies with the count after.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
pub(crate) struct Light {
    pub(crate) number: u64,
    pub(crate) panics: Option<Place>,
}

impl Aggregate for Fuse {
    const TYPE: &'static str = "fuse";
    type Event = Burned;
    type Error = Never;

    fn apply(&mut self, event: &Burned) {
        // half of it is done when it panics: nobody may see that half
        self.count += 1;
        assert!(!matches!(event, Burned::Short { .. }), "{PLANNED}");
    }
}

impl Handle<Light> for Fuse {
    fn handle(&self, light: Light, _: &CommandContext<'_>) -> Decided<Self, Light> {
        let number = light.number;
        let decision = Decision::event(match light.panics {
            Some(Place::Handle) => panic!("{PLANNED}"),
            Some(Place::Apply) => Burned::Short { number },
            Some(Place::Serialize) => Burned::Unwritable { wire: Unwritable },
            Some(Place::Deserialize) => Burned::Unreadable { wire: Unreadable },
            _ => Burned::Lit { number },
        });
        Ok(match light.panics {
            Some(Place::Then) => decision
                .then(|_: &Self| panic!("{PLANNED}"))
                .reply(|after| after.count),
            Some(Place::Reply) => decision.reply(|_| panic!("{PLANNED}")),
            _ => decision.reply(|after| after.count),
        })
    }
}
