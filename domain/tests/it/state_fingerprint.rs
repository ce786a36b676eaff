use std::collections::BTreeMap;

use dormouse_domain::{Aggregate, AggregateId, Codec, CommandId, Event, Never, Timestamp, state_fingerprint};
use serde::{Deserialize, Serialize};

#[derive(Event)]
enum Nothing {
    Happened,
}

/// Aggregates that differ in one thing each.
macro_rules! aggregate {
    ($module:ident: $type:literal, version $version:literal, $codec:ident, { $($field:ident: $ty:ty),* }) => {
        mod $module {
            use super::*;

            #[derive(Default, Serialize, Deserialize)]
            pub(super) struct State { $($field: $ty),* }

            impl Aggregate for State {
                const TYPE: &'static str = $type;
                const STATE_VERSION: u32 = $version;
                const CODEC: Codec = Codec::$codec;
                type Event = Nothing;
                type Error = Never;
                fn apply(&mut self, _: &Nothing) {}
            }
        }
    };
}

aggregate!(plain: "account", version 1, Bincode, { cents: i64, open: bool });
aggregate!(again: "account", version 1, Bincode, { cents: i64, open: bool });
aggregate!(other_type: "wallet", version 1, Bincode, { cents: i64, open: bool });
aggregate!(other_version: "account", version 2, Bincode, { cents: i64, open: bool });
aggregate!(other_codec: "account", version 1, Json, { cents: i64, open: bool });
aggregate!(other_name: "account", version 1, Bincode, { euros: i64, open: bool });
aggregate!(other_order: "account", version 1, Bincode, { open: bool, cents: i64 });
aggregate!(one_more: "account", version 1, Bincode, { cents: i64, open: bool, owner: String });
aggregate!(nested: "account", version 1, Bincode, { parts: BTreeMap<String, Option<Part>> });
aggregate!(other_part: "account", version 1, Bincode, { parts: BTreeMap<String, Option<OtherPart>> });

#[derive(Serialize, Deserialize)]
enum Part {
    Known { id: KnownIds },
    Unknown,
}

/// Differs in its second variant only.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Part")]
enum OtherPart {
    Known { id: KnownIds },
    Unknown(u8),
}

#[derive(Serialize, Deserialize)]
struct KnownIds {
    commands: Vec<CommandId>,
    at: Timestamp,
}

#[test]
fn the_shape_and_every_option_count() {
    let plain = state_fingerprint::<plain::State>();
    assert_eq!(plain, state_fingerprint::<again::State>());
    let others = [
        state_fingerprint::<other_type::State>(),
        state_fingerprint::<other_version::State>(),
        state_fingerprint::<other_codec::State>(),
        state_fingerprint::<other_name::State>(),
        state_fingerprint::<other_order::State>(),
        state_fingerprint::<one_more::State>(),
        state_fingerprint::<nested::State>(),
        state_fingerprint::<other_part::State>(),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(*other, plain, "{index}");
        assert!(!others[..index].contains(other), "{index}");
    }
}

#[test]
fn a_fingerprint_never_changes() {
    // Another value would make every snapshot worthless after an upgrade.
    assert_eq!(state_fingerprint::<plain::State>(), 8_667_607_146_466_754_828);
    assert_eq!(state_fingerprint::<nested::State>(), 7_811_071_000_391_373_494);
}

mod validating {
    use super::*;

    /// Refuses most of what a tracer tries.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(try_from = "u64")]
    pub(super) struct State(u64);

    impl TryFrom<u64> for State {
        type Error = &'static str;

        fn try_from(n: u64) -> Result<Self, &'static str> {
            if n > 1_000 { Ok(Self(n)) } else { Err("too few") }
        }
    }

    impl Aggregate for State {
        const TYPE: &'static str = "validating";
        type Event = Nothing;
        type Error = Never;
        fn apply(&mut self, _: &Nothing) {}
    }

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct WithId(Option<AggregateId>);

    impl Aggregate for WithId {
        const TYPE: &'static str = "with id";
        type Event = Nothing;
        type Error = Never;
        fn apply(&mut self, _: &Nothing) {}
    }
}

#[test]
fn states_that_cannot_be_traced_have_one_too() {
    assert_eq!(
        state_fingerprint::<validating::State>(),
        state_fingerprint::<validating::State>()
    );
    assert_ne!(
        state_fingerprint::<validating::State>(),
        state_fingerprint::<validating::WithId>()
    );
}
