use super::*;
use crate::format::record::Record;
use dormouse_domain::{AggregateType, Event};

#[derive(Debug, Event)]
enum Blob {
    Stored { text: String },
}

fn stream() -> StreamId {
    StreamId::new(AggregateType::from_static("blob"), "b".try_into().unwrap())
}

fn stored(bytes: usize) -> Blob {
    Blob::Stored {
        text: "x".repeat(bytes),
    }
}

#[test]
fn a_payload_over_its_limit_adds_nothing() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    builder.event(&stored(10), Codec::Bincode).unwrap();
    let before = (builder.bytes(), builder.events());
    let error = builder
        .event(&stored(PAYLOAD_BYTES_MAX), Codec::Bincode)
        .unwrap_err();
    // The length takes 5 bytes in bincode.
    let (bytes, limit) = (PAYLOAD_BYTES_MAX + 5, PAYLOAD_BYTES_MAX);
    assert_eq!(
        error,
        CommitError::TooLarge {
            field: "event payload",
            bytes,
            limit
        }
    );
    let large = vec![0; PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(
        builder.system_event("s", &large),
        Err(CommitError::TooLarge { .. })
    ));
    assert_eq!((builder.bytes(), builder.events()), before);
    builder
        .event(&stored(PAYLOAD_BYTES_MAX - 5), Codec::Bincode)
        .unwrap();
    assert_eq!(builder.finish().unwrap().events(), 2);
}

#[test]
fn a_commit_over_its_limit_adds_nothing() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    for _ in 0..3 {
        builder
            .event(&stored(PAYLOAD_BYTES_MAX - 5), Codec::Bincode)
            .unwrap();
    }
    let before = (builder.bytes(), builder.events());
    let error = builder
        .event(&stored(PAYLOAD_BYTES_MAX - 5), Codec::Bincode)
        .unwrap_err();
    assert!(
        matches!(
            error,
            CommitError::TooLarge {
                field: "commit",
                limit: COMMIT_BYTES_MAX,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!((builder.bytes(), builder.events()), before);
    assert!(builder.finish().unwrap().bytes() <= COMMIT_BYTES_MAX);
}

#[test]
fn events_are_bounded_and_at_least_one() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    for _ in 0..EVENTS_PER_COMMIT_MAX {
        builder.event(&stored(0), Codec::Bincode).unwrap();
    }
    let error = builder.event(&stored(0), Codec::Bincode).unwrap_err();
    assert_eq!(
        error,
        CommitError::TooManyEvents {
            limit: EVENTS_PER_COMMIT_MAX
        }
    );
    assert_eq!(builder.last_version(), Version::new(EVENTS_PER_COMMIT_MAX as u64));
    builder.finish().unwrap();
    let empty = CommitBuilder::new(&stream(), Version::new(1));
    assert_eq!(empty.last_version(), Version::NONE);
    assert_eq!(empty.finish().unwrap_err(), CommitError::NoEvents);
}

#[test]
fn a_reply_over_its_limit_adds_nothing() {
    let fingerprint = CommandFingerprint {
        name: 0,
        version: SchemaVersion::FIRST,
        fields: 0,
    };
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    builder.event(&stored(0), Codec::Bincode).unwrap();
    let mut command = |bytes| {
        // Its length takes 3 bytes in bincode.
        let reply = vec![0_u8; bytes - 3];
        let before = builder.bytes();
        let added = builder.command(CommandId::now(), fingerprint, Codec::Bincode, &reply);
        (added, builder.bytes() - before)
    };
    let (refused, added) = command(REPLY_BYTES_MAX + 1);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "reply has 65537 bytes when encoded; the limit is 65536"
    );
    assert_eq!(added, 0);
    let (fits, added) = command(REPLY_BYTES_MAX);
    // 31 bytes of a command's section come before the reply.
    assert_eq!(
        (fits, added),
        (Ok(()), SECTION_HEADER_BYTES + 31 + REPLY_BYTES_MAX)
    );
    let commit = builder.finish().unwrap();
    let record = Record::parse(&commit.bytes).unwrap();
    assert_eq!(record.command().unwrap().reply.len(), REPLY_BYTES_MAX);
}

#[test]
#[should_panic(expected = "events come before command and metadata")]
fn an_event_after_the_metadata_is_a_bug() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    builder.event(&stored(0), Codec::Bincode).unwrap();
    builder.metadata(&Metadata {
        correlation: Some(uuid::Uuid::nil()),
        ..Metadata::default()
    });
    let _ = builder.event(&stored(0), Codec::Bincode);
}

#[test]
fn names_of_system_events_are_checked() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    assert!(builder.system_event("", b"").is_err());
    let long: &'static str = Box::leak("x".repeat(EVENT_NAME_BYTES_MAX + 1).into_boxed_str());
    assert!(builder.system_event(long, b"").is_err());
    assert_eq!(builder.events(), 0);
}

#[test]
fn the_size_told_is_the_size_written() {
    let mut builder = CommitBuilder::new(&stream(), Version::new(1));
    builder.event(&stored(100), Codec::Json).unwrap();
    let fingerprint = CommandFingerprint {
        name: 0,
        version: SchemaVersion::FIRST,
        fields: 0,
    };
    builder
        .command(CommandId::now(), fingerprint, Codec::Bincode, b"reply")
        .unwrap();
    builder.metadata(&Metadata {
        correlation: Some(uuid::Uuid::nil()),
        ..Metadata::default()
    });
    let told = builder.bytes();
    assert_eq!(builder.finish().unwrap().bytes(), told);
}

/// Whatever failed on the way, the record is the one that would have been built without it.
#[test]
fn what_failed_leaves_no_trace() {
    struct Fails(u32);
    impl serde::Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = to.serialize_tuple(3)?;
            for n in 0..self.0 {
                tuple.serialize_element(&n)?;
            }
            Err(serde::ser::Error::custom("it won't"))
        }
    }
    let fingerprint = CommandFingerprint {
        name: 7,
        version: SchemaVersion::FIRST,
        fields: 8,
    };
    let metadata = Metadata {
        correlation: Some(uuid::Uuid::nil()),
        ..Metadata::default()
    };
    let id = CommandId::now();
    for codec in [Codec::Bincode, Codec::Json] {
        for has_metadata in [false, true] {
            let build = |failing: bool| {
                let mut builder = CommitBuilder::new(&stream(), Version::new(1));
                builder.event(&stored(0), codec).unwrap();
                if failing {
                    assert!(builder.command(id, fingerprint, codec, &Fails(2)).is_err());
                    assert!(
                        builder
                            .command(id, fingerprint, codec, &"x".repeat(REPLY_BYTES_MAX + 1))
                            .is_err()
                    );
                }
                builder.event(&stored(3), codec).unwrap();
                if failing {
                    assert!(builder.command(id, fingerprint, codec, &Fails(0)).is_err());
                }
                builder.command(id, fingerprint, codec, "reply").unwrap();
                if has_metadata {
                    builder.metadata(&metadata);
                }
                let told = builder.bytes();
                let commit = builder.finish().unwrap();
                assert_eq!(told, commit.bytes.len());
                Record::decode(&commit.bytes, &Default::default()).unwrap();
                commit.bytes
            };
            assert_eq!(build(true), build(false));
        }
    }
}
