//! One door for each decoder of what is stored or comes from outside: what `fuzz/` throws hostile bytes at, and the test
//! here the kept ones. Compiled for tests and by cargo-fuzz only.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{
    AggregateId, AggregateType, Codec, CommandId, Event, Metadata, SchemaVersion, SizeLimit, StreamId,
    Timestamp, TraceContext,
};

/// A decoder: bytes that may be anything, and what must hold of them.
pub type Door = fn(&[u8]);

/// All of them by name, which is that of their target and of their corpus.
pub const DOORS: &[(&str, Door)] = &[
    ("bincode", bincode),
    ("json", json),
    ("event", event),
    ("metadata", metadata),
    ("id", id),
];

/// A value with something of each kind that serde knows, and deep if it wants to be. Floats are left out: two that are
/// not a number are not equal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Unit,
    Small(u8, i8, bool),
    Wide(u128, i128),
    Middle { a: u16, b: i32, c: u64, d: i64 },
    Text(String, char),
    Bytes(Vec<u8>),
    Units(Vec<()>),
    Maybe(Option<Box<Value>>),
    Many(Vec<Value>),
    Named(BTreeMap<String, Value>),
    Pair((String, AggregateId)),
    Command(CommandId),
}

/// Values of bincode, as payloads and states are read.
pub fn bincode(bytes: &[u8]) {
    decode_all(Codec::Bincode, bytes);
}

/// Values of JSON.
pub fn json(bytes: &[u8]) {
    decode_all(Codec::Json, bytes);
}

fn decode_all(codec: Codec, bytes: &[u8]) {
    decode::<Value>(codec, bytes);
    decode::<String>(codec, bytes);
    decode::<Vec<Vec<u32>>>(codec, bytes);
    decode::<BTreeMap<u64, Option<String>>>(codec, bytes);
    decode::<(AggregateId, i64)>(codec, bytes);
}

/// What was read is written again, and read as the same.
fn decode<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(codec: Codec, bytes: &[u8]) {
    let Ok(value) = codec.decode::<T>(bytes) else {
        return;
    };
    let mut again = Vec::new();
    let limit = SizeLimit {
        field: "a value",
        bytes_max: usize::MAX,
    };
    codec
        .encode(&value, &mut again, limit)
        .expect("what was read can be written");
    assert_eq!(codec.encoded_len(&value), Ok(again.len()));
    assert_eq!(codec.decode::<T>(&again).as_ref(), Ok(&value));
}

/// Two schemas of one event.
#[derive(Debug, PartialEq, crate::Event)]
enum Entry {
    #[event(version = 2, upcast(DepositedV1))]
    Deposited { cents: i64, note: String },
    #[event(name = "Closed")]
    Shut,
}

#[derive(Deserialize)]
struct DepositedV1 {
    cents: u32,
}

impl From<DepositedV1> for Entry {
    fn from(old: DepositedV1) -> Self {
        Self::Deposited {
            cents: old.cents.into(),
            note: String::new(),
        }
    }
}

/// A stored event: a name, a schema version and a payload, all of them hostile.
pub fn event(bytes: &[u8]) {
    let Some(([codec, version, name], payload)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let codec = if codec % 2 == 0 {
        Codec::Bincode
    } else {
        Codec::Json
    };
    let name = ["Deposited", "Closed", "Shut", ""][usize::from(name % 4)];
    let version = SchemaVersion::new(u16::from(version % 4));
    let Ok(event) = Entry::decode(name, version, codec, payload) else {
        return;
    };
    let now = event.event_type();
    assert_eq!(now.name, name, "read as what it was stored as");
    assert!(version <= now.version, "a version of the future is refused");
    let mut again = Vec::new();
    let limit = SizeLimit {
        field: "an event",
        bytes_max: usize::MAX,
    };
    event
        .encode(codec, &mut again, limit)
        .expect("what was read can be written");
    assert_eq!(
        Entry::decode(now.name, now.version, codec, &again).ok(),
        Some(event)
    );
}

/// Stored metadata.
pub fn metadata(bytes: &[u8]) {
    let Ok(metadata) = Metadata::decode(bytes) else {
        return;
    };
    let length: usize = metadata
        .headers
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    assert!(length <= bytes.len());
    if metadata.validate().is_ok() {
        let mut again = Vec::new();
        metadata.encode_into(&mut again);
        assert_eq!(again.len(), metadata.encoded_len());
        assert_eq!(Metadata::decode(&again).as_ref(), Ok(&metadata));
    }
}

/// Names, ids and times from outside.
pub fn id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let sound = |max: usize| (1..=max).contains(&text.len()) && !text.chars().any(char::is_control);
    let id = AggregateId::try_from(text);
    assert_eq!(id.is_ok(), sound(AggregateId::BYTES_MAX));
    let aggregate_type = AggregateType::new(text.to_owned());
    assert_eq!(aggregate_type.is_ok(), sound(AggregateType::BYTES_MAX));
    if let (Ok(id), Ok(aggregate_type)) = (id, aggregate_type) {
        assert_eq!((id.as_str(), aggregate_type.as_str()), (text, text));
        let stream = StreamId::new(aggregate_type, id.clone());
        assert_eq!(stream.id, id);
        decode::<AggregateId>(
            Codec::Json,
            &serde_json::to_vec(&id).expect("a text can be written"),
        );
    }
    if let Ok(id) = text.parse::<CommandId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let _ = CommandId::from_key(text).is_time_ordered();
    if let Ok(trace) = text.parse::<TraceContext>() {
        assert_eq!(trace.to_string().parse(), Ok(trace));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
}

/// What is sound, so that fuzzing begins with it: by door.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut named = BTreeMap::new();
    named.insert("a".to_owned(), Value::Maybe(Some(Box::new(Value::Unit))));
    named.insert("b".to_owned(), Value::Units(vec![(); 3]));
    let id = CommandId::from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
    let value = Value::Many(vec![
        Value::Small(255, -1, true),
        Value::Wide(u128::MAX, i128::MIN),
        Value::Middle {
            a: 300,
            b: -70_000,
            c: u64::MAX,
            d: i64::MIN,
        },
        Value::Text("ä".to_owned(), 'ß'),
        Value::Bytes(vec![0, 251, 255]),
        Value::Named(named),
        Value::Pair((String::new(), AggregateId::try_from("acc-1").expect("a valid id"))),
        Value::Command(id),
    ]);
    let limit = SizeLimit {
        field: "a seed",
        bytes_max: usize::MAX,
    };
    let encoded = |codec: Codec| {
        let mut bytes = Vec::new();
        codec
            .encode(&value, &mut bytes, limit)
            .expect("a value that can be written");
        bytes
    };
    let headers = Metadata {
        correlation: Some(uuid::Uuid::from_u128(5)),
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .ok(),
        headers: vec![("tenant".into(), "7".into())],
        ..Metadata::default()
    };
    let mut metadata = Vec::new();
    headers.encode_into(&mut metadata);
    vec![
        ("bincode", encoded(Codec::Bincode)),
        ("json", encoded(Codec::Json)),
        ("event", [&[0, 1, 0][..], &[10]].concat()),
        ("event", [&[0, 2, 0][..], &[10, 1, b'x']].concat()),
        ("event", [&[1, 2, 0][..], br#"{"cents":5,"note":"x"}"#].concat()),
        ("event", vec![0, 1, 1]),
        ("metadata", metadata),
        ("id", b"acc-1".to_vec()),
        ("id", id.to_string().into_bytes()),
        (
            "id",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec(),
        ),
        ("id", b"2013-01-01T05:17:00.000250Z".to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What fuzzing found, and what it begins with, through the same doors on every test run.
    #[test]
    fn kept_inputs_hold() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for (name, door) in DOORS {
            let kept = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut many = 0;
            for file in kept {
                let path = file.unwrap().path();
                eprintln!("{}", path.display());
                door(&std::fs::read(path).unwrap());
                many += 1;
            }
            assert!(many > 0, "{name} has a corpus");
        }
    }

    /// The corpus begins with what is written today.
    #[test]
    fn seeds_hold_and_are_kept() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for (number, (name, bytes)) in seeds().into_iter().enumerate() {
            let (_, door) = DOORS.iter().find(|(door, _)| *door == name).unwrap();
            door(&bytes);
            let path = corpus.join(name).join(format!("seed-{number}"));
            if std::env::var_os("UPDATE_SEEDS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &bytes).unwrap();
            }
        }
    }
}
