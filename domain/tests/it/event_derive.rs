use dormouse_domain::{
    Codec, CodecError, Event, EventDecodeError, EventType, SchemaVersion, SizeLimit, limits,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Event)]
enum Entry {
    #[event(name = "opened")]
    Opened,
    #[event(version = 3, upcast(DepositedV1, DepositedV2))]
    Deposited {
        cents: i64,
        currency: String,
        #[serde(with = "as_text")]
        batch: u64,
    },
    Noted(String),
    Moved(i64, Vec<u8>),
    /// Its fields hide the names of generated code's variables, and its name those of generated structs.
    Odd {
        name: String,
        codec: u8,
        out: bool,
        payload: OddRef,
        r#type: u8,
    },
    Marked {},
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OddRef(u8);

#[derive(Serialize, Deserialize)]
struct DepositedV1(i32);

#[derive(Serialize, Deserialize)]
struct DepositedV2 {
    cents: i64,
    currency: String,
}

impl From<DepositedV1> for DepositedV2 {
    fn from(old: DepositedV1) -> Self {
        Self {
            cents: old.0.into(),
            currency: "EUR".into(),
        }
    }
}

impl From<DepositedV2> for Entry {
    fn from(old: DepositedV2) -> Self {
        Self::Deposited {
            cents: old.cents,
            currency: old.currency,
            batch: 0,
        }
    }
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(n: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

const LIMIT: SizeLimit = SizeLimit {
    field: "event",
    bytes_max: limits::PAYLOAD_BYTES_MAX,
};
const V1: SchemaVersion = SchemaVersion::FIRST;

fn encoded(event: &Entry, codec: Codec) -> Vec<u8> {
    let mut out = Vec::new();
    event.encode(codec, &mut out, LIMIT).unwrap();
    out
}

fn every_variant() -> Vec<Entry> {
    vec![
        Entry::Opened,
        Entry::Deposited {
            cents: -5,
            currency: "CHF".into(),
            batch: 77,
        },
        Entry::Noted("rent".into()),
        Entry::Moved(300, vec![1, 2, 3]),
        Entry::Odd {
            name: "n".into(),
            codec: 1,
            out: true,
            payload: OddRef(9),
            r#type: 2,
        },
        Entry::Marked {},
    ]
}

#[test]
fn each_variant_survives_each_codec() {
    for codec in [Codec::Bincode, Codec::Json] {
        for event in every_variant() {
            let EventType { name, version } = event.event_type();
            assert_eq!(
                Entry::decode(name, version, codec, &encoded(&event, codec)),
                Ok(event)
            );
        }
    }
}

#[test]
fn types_are_listed_in_the_enums_order() {
    let types: Vec<String> = Entry::TYPES.iter().map(ToString::to_string).collect();
    assert_eq!(
        types,
        [
            "opened v1",
            "Deposited v3",
            "Noted v1",
            "Moved v1",
            "Odd v1",
            "Marked v1"
        ]
    );
    let of_values: Vec<EventType> = every_variant().iter().map(Event::event_type).collect();
    assert_eq!(of_values, Entry::TYPES);
}

#[test]
fn the_payload_is_the_fields_and_nothing_else() {
    let event = Entry::Deposited {
        cents: 3,
        currency: "CHF".into(),
        batch: 7,
    };
    assert_eq!(encoded(&event, Codec::Bincode), [6, 3, b'C', b'H', b'F', 1, b'7']);
    assert_eq!(
        encoded(&event, Codec::Json),
        br#"{"cents":3,"currency":"CHF","batch":"7"}"#
    );
    assert_eq!(encoded(&Entry::Noted("a".into()), Codec::Json), br#""a""#);
    assert!(encoded(&Entry::Opened, Codec::Bincode).is_empty());
}

#[test]
fn old_versions_pass_through_every_later_upcaster() {
    for codec in [Codec::Bincode, Codec::Json] {
        let mut v1 = Vec::new();
        codec.encode(&DepositedV1(250), &mut v1, LIMIT).unwrap();
        let mut v2 = Vec::new();
        codec
            .encode(
                &DepositedV2 {
                    cents: 260,
                    currency: "USD".into(),
                },
                &mut v2,
                LIMIT,
            )
            .unwrap();

        assert_eq!(
            Entry::decode("Deposited", V1, codec, &v1),
            Ok(Entry::Deposited {
                cents: 250,
                currency: "EUR".into(),
                batch: 0
            })
        );
        assert_eq!(
            Entry::decode("Deposited", SchemaVersion::new(2), codec, &v2),
            Ok(Entry::Deposited {
                cents: 260,
                currency: "USD".into(),
                batch: 0
            })
        );
    }
}

#[test]
fn an_unknown_name_is_told_with_the_known_ones() {
    let error = Entry::decode("Closed", V1, Codec::Bincode, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown event \"Closed\"; this program knows opened, Deposited, Noted, Moved, Odd, Marked"
    );
}

#[test]
fn an_unknown_version_is_told_with_the_newest_known() {
    for version in [0, 4] {
        let error = Entry::decode("Deposited", SchemaVersion::new(version), Codec::Bincode, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("event \"Deposited\" is stored with schema version {version}; this program knows 1 to 3")
        );
    }
}

#[test]
fn bytes_left_after_an_event_are_refused() {
    let mut bytes = encoded(&Entry::Noted("rent".into()), Codec::Bincode);
    bytes.push(0);
    let error = Entry::decode("Noted", V1, Codec::Bincode, &bytes).unwrap_err();
    assert_eq!(
        error,
        EventDecodeError::Codec {
            name: "Noted".into(),
            version: V1,
            reason: CodecError::TrailingBytes { left: 1 }
        }
    );
    assert_eq!(
        error.to_string(),
        "event \"Noted\" of schema version 1 can't be decoded: 1 bytes are left after the value"
    );
    assert!(std::error::Error::source(&error).is_none(), "told twice");
}

#[test]
fn an_event_over_its_limit_leaves_the_buffer_alone() {
    let mut out = vec![42];
    let limit = SizeLimit {
        field: "event Noted",
        bytes_max: 10,
    };
    let error = Entry::Noted("x".repeat(50))
        .encode(Codec::Bincode, &mut out, limit)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "event Noted has 51 bytes when encoded; the limit is 10"
    );
    assert_eq!(out, [42]);
}

#[derive(Debug, PartialEq, Event)]
#[serde(rename_all_fields = "camelCase", deny_unknown_fields)]
enum Renamed {
    Sent {
        to_whom: u8,
    },
    #[serde(rename_all = "UPPERCASE")]
    Lost {
        by_whom: u8,
    },
}

#[test]
fn serde_renames_fields_as_for_the_enum_itself() {
    let mut out = Vec::new();
    Renamed::Sent { to_whom: 1 }
        .encode(Codec::Json, &mut out, LIMIT)
        .unwrap();
    Renamed::Lost { by_whom: 2 }
        .encode(Codec::Json, &mut out, LIMIT)
        .unwrap();
    assert_eq!(out, br#"{"toWhom":1}{"BY_WHOM":2}"#);
    assert!(Renamed::decode("Lost", V1, Codec::Json, br#"{"BY_WHOM":2,"more":1}"#).is_err());
}

#[derive(Event)]
enum LongestName {
    #[event(
        name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    )]
    Named,
}

#[test]
fn the_derives_limit_on_names_is_the_domains() {
    // One byte more is a compile error, which `compile_fail/event_bad_names.rs` shows.
    assert_eq!(
        LongestName::Named.event_type().name.len(),
        limits::EVENT_NAME_BYTES_MAX
    );
}

/// Names that generated code, serde's derives or the prelude use themselves.
#[derive(Debug, PartialEq, Event)]
enum Hostile {
    A(u8),
    ARef(u8),
    D(u8),
    E(u8),
    S(u8),
    V { value: u8 },
    Field(u8),
    Visitor(u8),
    FieldVisitor(u8),
    SerializeWith(#[serde(with = "as_text")] u64),
    DeserializeWith(#[serde(with = "as_text")] u64),
    Value(u8),
    Ok(u8),
    Err(u8),
    Some(u8),
    None,
    Option(Option<u8>),
    Result(Result<u8, u8>),
    Vec(Vec<u8>),
    String(String),
    Error { error: u8 },
    Event(u8),
    Codec(u8),
}

fn hostile() -> Vec<Hostile> {
    vec![
        Hostile::A(1),
        Hostile::ARef(2),
        Hostile::D(3),
        Hostile::E(4),
        Hostile::S(5),
        Hostile::V { value: 6 },
        Hostile::Field(7),
        Hostile::Visitor(8),
        Hostile::FieldVisitor(9),
        Hostile::SerializeWith(10),
        Hostile::DeserializeWith(11),
        Hostile::Value(12),
        Hostile::Ok(13),
        Hostile::Err(14),
        Hostile::Some(15),
        Hostile::None,
        Hostile::Option(Some(16)),
        Hostile::Result(Err(17)),
        Hostile::Vec(vec![18]),
        Hostile::String("19".into()),
        Hostile::Error { error: 20 },
        Hostile::Event(21),
        Hostile::Codec(22),
    ]
}

#[test]
fn variants_may_have_the_names_of_generated_code() {
    assert_eq!(hostile().len(), Hostile::TYPES.len());
    for codec in [Codec::Bincode, Codec::Json] {
        for event in hostile() {
            let EventType { name, version } = event.event_type();
            let mut out = Vec::new();
            event.encode(codec, &mut out, LIMIT).unwrap();
            assert_eq!(Hostile::decode(name, version, codec, &out), Ok(event));
        }
    }
}
