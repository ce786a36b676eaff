//! Whether values survive being written and read.

use std::fmt::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::REPLY_BYTES_MAX;
use crate::{Codec, CodecError, SizeLimit};

pub(super) const USUAL_CAUSE: &str = "The usual cause is a serde attribute that leaves something out: skip, skip_serializing_if, flatten, tag, untagged.";

/// Bytes of a value that a message shows.
const SHOWN_BYTES_MAX: usize = 120;

/// Checks that a value survives both codecs, and gives what comes back from its own.
#[track_caller]
pub(super) fn check<T: Serialize + DeserializeOwned>(what: &str, own: Codec, value: &T) -> T {
    let other = match own {
        Codec::Bincode => Codec::Json,
        Codec::Json => Codec::Bincode,
    };
    // A codec that is not used may refuse a value, but what it gives back must be right.
    if let Ok(read) = read_back(other, value) {
        compare_for(what, other, value, &read);
    }
    match read_back(own, value) {
        Ok(read) => {
            compare_for(what, own, value, &read);
            read
        }
        Err(error) => panic!("{what} does not survive {own}: it {error}\n{USUAL_CAUSE}"),
    }
}

/// A reply must also be within its limit.
#[track_caller]
pub(super) fn check_reply<T: Serialize + DeserializeOwned>(codec: Codec, reply: &T) {
    let limit = SizeLimit {
        field: "the reply",
        bytes_max: REPLY_BYTES_MAX,
    };
    if let Err(error) = codec.encode(reply, &mut Vec::new(), limit) {
        panic!("{error}");
    }
    check("the reply", codec, reply);
}

/// Checks that two values are written alike.
#[track_caller]
pub(super) fn compare<T: Serialize>(what: &str, codec: Codec, expected: &T, actual: &T) {
    let (expected, actual) = (encoded(codec, expected), encoded(codec, actual));
    assert!(
        same_bytes(&expected, &actual),
        "{what} is not the one that the command left, written as {codec}:\n  left by the command: {}\n  folded again:        {}\n\
         `apply` must depend on the state and the event only, and serde must not leave out what it depends on.",
        shown(codec, &expected),
        shown(codec, &actual)
    );
}

#[track_caller]
fn compare_for<T: Serialize>(what: &str, codec: Codec, value: &T, read: &T) {
    let (first, second) = (encoded(codec, value), encoded(codec, read));
    assert!(
        same_bytes(&first, &second),
        "{what} does not survive {codec}:\n  written:               {}\n  read and written again: {}\n{USUAL_CAUSE}",
        shown(codec, &first),
        shown(codec, &second)
    );
}

fn read_back<T: Serialize + DeserializeOwned>(codec: Codec, value: &T) -> Result<T, CodecError> {
    let mut bytes = Vec::new();
    codec.encode(
        value,
        &mut bytes,
        SizeLimit {
            field: "value",
            bytes_max: usize::MAX,
        },
    )?;
    codec.decode(&bytes)
}

/// What a value that was written once is written as.
fn encoded<T: Serialize>(codec: Codec, value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let result = codec.encode(
        value,
        &mut bytes,
        SizeLimit {
            field: "value",
            bytes_max: usize::MAX,
        },
    );
    match result {
        Ok(()) => bytes,
        Err(error) => format!("({error})").into_bytes(),
    }
}

/// Whether these are the same bytes, in any order: a `HashMap` writes its entries in an order of its own each time.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.sort_unstable();
        bytes
    };
    a == b || (a.len() == b.len() && sorted(a) == sorted(b))
}

fn shown(codec: Codec, bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let mut text = match codec {
        Codec::Bincode => format!("{start:02x?}"),
        Codec::Json => String::from_utf8_lossy(start).into_owned(),
    };
    if start.len() < bytes.len() {
        // Writing to a string can't fail.
        let _ = write!(text, " … ({} bytes)", bytes.len());
    }
    text
}
