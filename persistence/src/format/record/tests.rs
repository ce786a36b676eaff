use super::*;
use crate::commit::CommitBuilder;
use dormouse_domain::{CommandFingerprint, CommandId, Metadata, StreamId};
use uuid::Uuid;

fn record() -> Vec<u8> {
    let stream = StreamId::new(AggregateType::from_static("account"), "acc-ä".try_into().unwrap());
    let mut builder = CommitBuilder::new(&stream, Version::new(41));
    builder.system_event("timer", b"noon").unwrap();
    builder.system_event("t", b"").unwrap();
    let fingerprint = CommandFingerprint {
        name: 1,
        version: SchemaVersion::new(2),
        fields: 3,
    };
    builder
        .command(
            CommandId::from(Uuid::from_u128(9)),
            fingerprint,
            Codec::Bincode,
            b"reply",
        )
        .unwrap();
    builder.metadata(&Metadata {
        correlation: Some(Uuid::from_u128(7)),
        ..Metadata::default()
    });
    builder.finish().unwrap().bytes
}

fn decode(bytes: &[u8]) -> Result<Record<'_>, Malformed> {
    Record::decode(bytes, &Known::default())
}

/// With its length and checksum put right, so that what is checked behind them is reached.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn is_read_as_it_was_written() {
    let bytes = record();
    let record = decode(&bytes).unwrap();
    assert_eq!((record.aggregate_type, record.id), ("account", "acc-ä"));
    assert_eq!(
        (record.first_version.get(), record.last_version().get()),
        (41, 42)
    );
    let command = record.command().unwrap();
    assert_eq!(
        (command.id, command.name, command.version, command.fields),
        (9, 1, 2, 3)
    );
    assert_eq!((command.codec, command.reply), (Codec::Bincode, &b"reply"[..]));
    let events: Vec<_> = record
        .events()
        .map(|event| (event.name, event.payload, event.system))
        .collect();
    assert_eq!(events, [("timer", &b"noon"[..], true), ("t", b"", true)]);
    assert_eq!(names(&bytes), (&b"account"[..], "acc-ä".as_bytes()));
    assert_eq!(command_id(&bytes), Some(9));
}

#[test]
fn a_cut_at_any_byte_is_an_error() {
    let bytes = record();
    let mut whole_without_a_section = 0;
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
        assert!(take(&mut Reader::new(&bytes[..len])).is_err(), "cut to {len}");
        if len >= HEADER_BYTES && decode(&sealed(bytes[..len].to_vec())).is_ok() {
            whole_without_a_section += 1;
        }
    }
    assert_eq!(
        whole_without_a_section, 2,
        "before the command and before the metadata"
    );
    assert!(decode(&[&bytes[..], b"x"].concat()).is_err(), "one byte more");
}

#[test]
fn a_flip_of_any_bit_is_an_error() {
    let bytes = record();
    for at in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(decode(&flipped).is_err(), "bit {at}");
    }
}

/// With a right checksum any bytes may come: an error or a sound record, never a panic.
#[test]
fn hostile_bytes_never_panic() {
    let bytes = record();
    for at in 8..bytes.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff] {
            let mut hostile = bytes.clone();
            hostile[at] = value;
            let hostile = sealed(hostile);
            if let Ok(record) = decode(&hostile) {
                assert_eq!(record.events().count(), record.events as usize);
                let _ = (record.last_version(), names(&hostile), command_id(&hostile));
            }
        }
    }
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let decoded = |bytes: Vec<u8>| decode(&sealed(bytes)).map(|record| record.events).unwrap_err();
    let mut newer = record();
    newer[23] = 2;
    assert_eq!(
        decoded(newer),
        Malformed::Format {
            what: "a record",
            found: 2,
            supported: 1
        }
    );
    let mut section = record();
    section.extend_from_slice(&[4, 0, 0, 0, 0]);
    assert_eq!(decoded(section), Malformed::Section(4));
    let mut twice = record();
    twice.extend_from_slice(&[SECTION_METADATA, 0, 0, 0, 0]);
    assert_eq!(
        decoded(twice),
        Malformed::Value("the order of a record's sections")
    );
    let mut version = record();
    version[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(decoded(version), Malformed::Value("a record's versions"));
    let mut control = record();
    control[HEADER_BYTES] = b'\n';
    assert_eq!(decoded(control), Malformed::Value("a record's type"));
    let mut fewer = record();
    fewer[16] = 1;
    assert_eq!(decoded(fewer), Malformed::Value("a record's number of events"));
}

#[test]
fn known_names_stand_for_equal_ones_only() {
    let bytes = record();
    let same = Known {
        aggregate_type: "account",
        id: "acc-ä",
        event: "timer",
    };
    let others = Known {
        aggregate_type: "accounts",
        id: "acc-a",
        event: "t",
    };
    for known in [Known::default(), same, others] {
        let record = Record::decode(&bytes, &known).unwrap();
        assert_eq!((record.aggregate_type, record.id), ("account", "acc-ä"));
        let names: Vec<_> = record.events().map(|event| event.name).collect();
        assert_eq!(names, ["timer", "t"]);
        let mut control = bytes.clone();
        control[HEADER_BYTES] = b'\n';
        let refused = Record::decode(&sealed(control), &known).map(|record| record.events);
        assert_eq!(refused, Err(Malformed::Value("a record's type")));
    }
}
