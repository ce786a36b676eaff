//! What a caller reads when a command was not done.

use std::error::Error;

use dormouse_domain::{
    Bound, CodecError, CommandError, CommandId, Expected, InvalidMetadata, NotDone, Unknown, Version,
};

#[derive(Debug, PartialEq)]
struct Overdrawn;

impl std::fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("overdrawn")
    }
}

impl Error for Overdrawn {}

#[test]
fn each_reason_says_what_and_what_to_do() {
    let id: CommandId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
    let (one, two) = (Version::new(1), Version::new(2));
    for (reason, message) in [
        (
            NotDone::Overloaded {
                bound: Bound::Mailbox,
                limit: 4096,
            },
            "not done: the aggregate's mailbox is full, with 4096 commands waiting; retry later or allow a longer wait",
        ),
        (
            NotDone::Overloaded {
                bound: Bound::Runtime,
                limit: 9,
            },
            "not done: the runtime is full, with 9 commands waiting; retry later or allow a longer wait",
        ),
        (
            NotDone::DeadlinePassed,
            "not done: its deadline passed before it was handled; retry or allow more time",
        ),
        (
            NotDone::VersionConflict {
                expected: Expected::At(one),
                actual: two,
            },
            "not done: expected version 1, but the stream is at version 2; read it and decide again",
        ),
        (
            NotDone::VersionConflict {
                expected: Expected::Absent,
                actual: two,
            },
            "not done: expected no event yet, but the stream is at version 2; read it and decide again",
        ),
        (
            NotDone::VersionConflict {
                expected: Expected::Exists,
                actual: Version::NONE,
            },
            "not done: expected at least one event, but the aggregate has no events yet; read it and decide again",
        ),
        (
            NotDone::CommandIdReused {
                id,
                first_version: two,
            },
            "not done: command id 017f22e2-79b0-7cc3-98c4-dc0c0c07398f was used by another command, at version 2; \
             use a new id",
        ),
        (
            NotDone::CommandIdInFuture {
                id,
                ahead_ms: 400_000,
                limit_ms: 300_000,
            },
            "not done: the time in command id 017f22e2-79b0-7cc3-98c4-dc0c0c07398f is 400000 ms ahead; the limit is \
             300000 ms, so set the clock of the machine that made it",
        ),
        (
            NotDone::TooLarge {
                field: "event Deposited",
                bytes: 2_000_000,
                limit: 1_048_576,
            },
            "not done: event Deposited has 2000000 bytes when encoded; the limit is 1048576, so store less in one \
             command",
        ),
        (
            NotDone::TooManyEvents {
                events: 100_000,
                limit: 10_000,
            },
            "not done: the decision has 100000 events; the limit is 10000, so split the command",
        ),
        (
            NotDone::Unencodable {
                field: "the reply",
                reason: "no such luck".into(),
            },
            "not done: the reply can't be encoded: no such luck; mend its type's Serialize",
        ),
        (
            NotDone::InvalidMetadata(InvalidMetadata::TooManyHeaders {
                headers: 40,
                limit: 32,
            }),
            "not done: metadata has 40 headers; the limit is 32",
        ),
        (
            NotDone::ShuttingDown,
            "not done: the runtime is shutting down; retry once it has started again",
        ),
        (
            NotDone::Stopped {
                reason: "disk full".into(),
            },
            "not done: the store stopped (disk full); retry once it has been reopened",
        ),
        (
            NotDone::Panicked {
                place: "apply",
                message: "index out of bounds".into(),
            },
            "not done: apply panicked: index out of bounds; mend it, a retry would panic again",
        ),
        (
            NotDone::ActivationFailed {
                reason: "unknown event \"Closed\"".into(),
            },
            "not done: the aggregate could not be loaded: unknown event \"Closed\"; mend that and retry",
        ),
        (
            NotDone::Stale { head: two },
            "not done: the state was out of date, the stream is at version 2; retry",
        ),
    ] {
        assert_eq!(reason.to_string(), message);
        assert!(reason.source().is_none(), "told twice: {message}");
        assert_eq!(CommandError::<Overdrawn>::from(reason).to_string(), message);
    }
}

#[test]
fn each_unknown_names_the_way_out() {
    for unknown in [
        Unknown::WriteFailed {
            reason: "disk full".into(),
        },
        Unknown::WaitEnded,
        Unknown::Abandoned,
    ] {
        let message = unknown.to_string();
        assert!(message.starts_with("unknown whether done: "), "{message}");
        assert!(
            message.ends_with("; a retry with the same command id settles it"),
            "{message}"
        );
    }
}

#[test]
fn the_effect_is_told_apart() {
    let told =
        |error: &CommandError<Overdrawn>| (error.is_refused(), error.is_not_done(), error.is_unknown());
    let unreadable = CommandError::ReplyUnreadable {
        version: Version::new(3),
        reason: "no value".into(),
    };
    assert_eq!(told(&CommandError::Refused(Overdrawn)), (true, false, false));
    assert_eq!(told(&NotDone::ShuttingDown.into()), (false, true, false));
    assert_eq!(told(&Unknown::WaitEnded.into()), (false, false, true));
    assert_eq!(told(&unreadable), (false, false, false));
    assert_eq!(
        unreadable.to_string(),
        "done at version 3, but the stored reply can't be read: no value"
    );
}

#[test]
fn only_the_refusal_is_mapped() {
    let length = |error: CommandError<Overdrawn>| error.map_refused(|refusal| refusal.to_string().len());
    assert_eq!(length(CommandError::Refused(Overdrawn)), CommandError::Refused(9));
    assert_eq!(
        length(NotDone::ShuttingDown.into()),
        CommandError::NotDone(NotDone::ShuttingDown)
    );
    assert_eq!(
        length(Unknown::WaitEnded.into()),
        CommandError::Unknown(Unknown::WaitEnded)
    );
}

#[test]
fn it_is_an_error_that_can_be_passed_on() {
    fn passed_on() -> Result<(), Box<dyn Error + Send + Sync>> {
        Err(CommandError::Refused(Overdrawn))?;
        Ok(())
    }
    assert_eq!(passed_on().unwrap_err().to_string(), "overdrawn");
}

#[test]
fn a_codecs_error_becomes_a_reason() {
    let too_large = CodecError::TooLarge {
        field: "the reply",
        bytes: 70_000,
        limit: 65_536,
    };
    assert_eq!(
        NotDone::from_codec("ignored", too_large),
        NotDone::TooLarge {
            field: "the reply",
            bytes: 70_000,
            limit: 65_536
        }
    );
    let failed = CodecError::Encode {
        reason: "no such luck".into(),
    };
    assert_eq!(
        NotDone::from_codec("the reply", failed),
        NotDone::Unencodable {
            field: "the reply",
            reason: "no such luck".into()
        }
    );
}
