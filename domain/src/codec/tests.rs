use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

const BOTH: [Codec; 2] = [Codec::Bincode, Codec::Json];

/// Every kind of value that serde knows and both codecs can carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    unsigned: (u8, u16, u32, u64, u128, usize),
    signed: (i8, i16, i32, i64, i128, isize),
    float: (f32, f64),
    flag: bool,
    letter: char,
    text: String,
    option: Option<Option<Box<Everything>>>,
    list: Vec<Shape>,
    map: BTreeMap<String, (u8, Newtype)>,
    unit: (),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Newtype),
    Tuple(u64, String),
    Struct { a: u8, b: Option<char> },
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Unit),
        any::<i64>().prop_map(|n| Shape::Newtype(Newtype(n))),
        any::<(u64, String)>().prop_map(|(n, text)| Shape::Tuple(n, text)),
        any::<(u8, Option<char>)>().prop_map(|(a, b)| Shape::Struct { a, b }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let finite =
        (any::<f32>(), any::<f64>()).prop_filter("JSON has no NaN", |(a, b)| a.is_finite() && b.is_finite());
    let numbers = (
        any::<(u8, u16, u32, u64, u128, usize)>(),
        any::<(i8, i16, i32, i64, i128, isize)>(),
        finite,
    );
    let entries = btree_map(
        any::<String>(),
        any::<(u8, i64)>().prop_map(|(n, m)| (n, Newtype(m))),
        0..3,
    );
    let flat = (
        numbers,
        any::<(bool, char, String)>(),
        vec(shape(), 0..4),
        entries,
    )
        .prop_map(
            |((unsigned, signed, float), (flag, letter, text), list, map)| Everything {
                unsigned,
                signed,
                float,
                flag,
                letter,
                text,
                option: None,
                list,
                map,
                unit: (),
            },
        );
    flat.prop_recursive(3, 4, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, inner)| Everything {
            option: Some(Some(Box::new(inner))),
            ..outer
        })
    })
}

fn encoded<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    codec
        .encode(
            value,
            &mut out,
            SizeLimit {
                field: "value",
                bytes_max: usize::MAX,
            },
        )
        .unwrap();
    out
}

/// Without a limit their decoder panics (capacity overflow) as soon as one byte of a length is wrong.
const THEIR_CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<10_000_000>,
> = bincode::config::standard().with_limit();

proptest! {
    #[test]
    fn every_value_survives(value in everything()) {
        for codec in BOTH {
            let bytes = encoded(codec, &value);
            prop_assert_eq!(codec.encoded_len(&value), Ok(bytes.len()));
            prop_assert_eq!(codec.decode::<Everything>(&bytes), Ok(value.clone()));
        }
    }

    #[test]
    fn bincode_is_read_as_its_crate_reads_it(value in everything(), flips in vec(any::<(prop::sample::Index, u8)>(), 0..3)) {
        let mut bytes = encoded(Codec::Bincode, &value);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let theirs = bincode::serde::decode_from_slice::<Everything, _>(&bytes, THEIR_CONFIG);
        match (read::from_slice::<Everything>(&bytes), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(encoded(Codec::Bincode, &ours.0), encoded(Codec::Bincode, &theirs.0)),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "ours: {ours:?}, theirs: {theirs:?}"),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for codec in BOTH {
            let _ = codec.decode::<Everything>(&bytes);
            let _ = codec.decode::<Tree>(&bytes);
        }
    }
}

#[test]
fn tags_stand_for_codecs_for_ever() {
    assert_eq!((Codec::Bincode.tag(), Codec::Json.tag()), (1, 2));
    for codec in BOTH {
        assert_eq!(Codec::from_tag(codec.tag()), Some(codec));
    }
    assert_eq!((Codec::from_tag(0), Codec::from_tag(3)), (None, None));
}

#[test]
fn past_the_limit_it_counts_and_stores_nothing() {
    for (codec, bytes) in [(Codec::Bincode, 1_000_005), (Codec::Json, 1_000_002)] {
        let mut out = vec![7];
        let limit = SizeLimit {
            field: "reply",
            bytes_max: 100,
        };
        let error = codec.encode(&"x".repeat(1_000_000), &mut out, limit).unwrap_err();
        assert_eq!(
            error,
            CodecError::TooLarge {
                field: "reply",
                bytes,
                limit: 100
            }
        );
        assert_eq!(out, [7]);
        assert!(out.capacity() < 1_000, "{} bytes were reserved", out.capacity());
    }
}

#[test]
fn a_value_of_exactly_the_limit_fits() {
    let mut out = Vec::new();
    Codec::Bincode
        .encode(
            "abc",
            &mut out,
            SizeLimit {
                field: "text",
                bytes_max: 4,
            },
        )
        .unwrap();
    assert_eq!(out, b"\x03abc");
}

#[test]
fn a_failing_serialize_leaves_the_buffer_alone() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no such luck"))
        }
    }
    for codec in BOTH {
        let mut out = vec![7];
        let value = ("first part", Fails);
        let error = codec
            .encode(
                &value,
                &mut out,
                SizeLimit {
                    field: "value",
                    bytes_max: 99,
                },
            )
            .unwrap_err();
        assert!(error.to_string().starts_with("can't be encoded: "), "{error}");
        assert!(error.to_string().contains("no such luck"), "{error}");
        assert_eq!(out, [7]);
    }
}

#[test]
fn bytes_left_are_refused() {
    assert_eq!(
        Codec::Bincode.decode::<u8>(&[1, 2, 3]),
        Err(CodecError::TrailingBytes { left: 2 })
    );
    assert_eq!(
        Codec::Json.decode::<u8>(b"1 2"),
        Err(CodecError::TrailingBytes { left: 2 })
    );
    assert_eq!(
        Codec::Json.decode::<u8>(b"1\n"),
        Err(CodecError::TrailingBytes { left: 1 })
    );
}

#[test]
fn missing_bytes_are_refused() {
    for codec in BOTH {
        assert!(matches!(codec.decode::<u64>(&[]), Err(CodecError::Decode { .. })));
        let bytes = encoded(codec, "hello");
        assert!(matches!(
            codec.decode::<String>(&bytes[..3]),
            Err(CodecError::Decode { .. })
        ));
    }
}

/// 2⁶⁰, as bincode writes it.
const HUGE: [u8; 9] = [253, 0, 0, 0, 0, 0, 0, 0, 16];

#[test]
fn hostile_lengths_allocate_nothing() {
    let refused = |result: Result<(), CodecError>, reason: &str| {
        assert_eq!(
            result.unwrap_err().to_string(),
            format!("can't be decoded: {reason}")
        );
    };
    let announced = "1152921504606846976 bytes are announced where 0 are left";
    refused(Codec::Bincode.decode::<String>(&HUGE).map(drop), announced);
    let announced = "1152921504606846976 elements are announced where 0 bytes are left";
    refused(Codec::Bincode.decode::<Vec<u64>>(&HUGE).map(drop), announced);
    refused(
        Codec::Bincode.decode::<BTreeMap<u8, u8>>(&HUGE).map(drop),
        announced,
    );
    // Without this check it would count to 2⁶⁰.
    refused(Codec::Bincode.decode::<Vec<()>>(&HUGE).map(drop), announced);
    assert_eq!(Codec::Bincode.decode::<Vec<()>>(&[5]), Ok(vec![(); 5]));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Tree>),
}

#[test]
fn hostile_nesting_ends_before_the_stack_does() {
    let deep = vec![1; 1_000_000];
    let error = Codec::Bincode.decode::<Tree>(&deep).unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't be decoded: nested deeper than 128 levels"
    );
    let deep = br#"{"Node":"#.repeat(1_000_000);
    let error = Codec::Json.decode::<Tree>(&deep).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");

    let nested = (0..100).fold(Tree::Leaf, |inner, _| Tree::Node(Box::new(inner)));
    for codec in BOTH {
        assert_eq!(
            codec.decode::<Tree>(&encoded(codec, &nested)).as_ref(),
            Ok(&nested)
        );
    }
}

#[test]
fn what_needs_a_self_describing_format_says_so() {
    let error = Codec::Bincode.decode::<serde_json::Value>(&[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't be decoded: bincode does not describe itself: `untagged`, `flatten`, `tag` and the like need JSON"
    );
}
