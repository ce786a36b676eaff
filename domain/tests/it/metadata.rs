use dormouse_domain::{CodecError, InvalidTraceParent, Metadata, TraceContext, limits};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

fn trace() -> impl Strategy<Value = TraceContext> {
    (any::<(u128, u64, u8)>(), option::of(".{0,40}")).prop_map(|((trace_id, span_id, flags), state)| {
        TraceContext {
            trace_id,
            span_id,
            flags,
            state,
        }
    })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let uuid = || option::of(any::<u128>().prop_map(Uuid::from_u128));
    let headers = vec(("\\P{Cc}{1,20}", ".{0,60}"), 0..5);
    (uuid(), uuid(), option::of(trace()), headers).prop_map(|(correlation, causation, trace, headers)| {
        Metadata {
            correlation,
            causation,
            trace,
            headers,
        }
    })
}

fn encoded(metadata: &Metadata) -> Vec<u8> {
    let mut bytes = Vec::new();
    metadata.encode_into(&mut bytes);
    bytes
}

fn with_headers(headers: Vec<(String, String)>) -> Metadata {
    Metadata {
        headers,
        ..Metadata::default()
    }
}

proptest! {
    #[test]
    fn metadata_survives(metadata in metadata()) {
        prop_assert_eq!(metadata.validate(), Ok(()));
        let bytes = encoded(&metadata);
        prop_assert_eq!(metadata.encoded_len(), bytes.len());
        prop_assert_eq!(Metadata::decode(&bytes), Ok(metadata));
    }

    #[test]
    fn metadata_cut_short_or_with_more_behind_is_refused(metadata in metadata(), at in any::<prop::sample::Index>()) {
        let mut bytes = encoded(&metadata);
        prop_assume!(!bytes.is_empty());
        let cut = at.index(bytes.len() - 1) + 1;
        prop_assume!(cut < bytes.len());
        prop_assert!(Metadata::decode(&bytes[..cut]).is_err());
        bytes.push(0);
        prop_assert_eq!(Metadata::decode(&bytes), Err(CodecError::TrailingBytes { left: 1 }));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = Metadata::decode(&bytes);
    }

    #[test]
    fn traceparents_survive(trace in trace()) {
        prop_assume!(trace.trace_id != 0 && trace.span_id != 0);
        let without_state = TraceContext { state: None, ..trace };
        prop_assert_eq!(without_state.to_string().parse::<TraceContext>(), Ok(without_state));
    }
}

#[test]
fn the_layout_byte_by_byte() {
    assert!(encoded(&Metadata::default()).is_empty());
    assert_eq!(Metadata::decode(&[]), Ok(Metadata::default()));

    let everything = Metadata {
        correlation: Some(Uuid::from_u128(0x0102)),
        causation: Some(Uuid::from_u128(0x0304)),
        trace: Some(TraceContext {
            trace_id: 0x05,
            span_id: 0x06,
            flags: 1,
            state: Some("a=b".into()),
        }),
        headers: vec![("k".into(), "vv".into()), ("é".into(), String::new())],
    };
    let mut expected = vec![0b1_1111];
    expected.extend([0; 14]);
    expected.extend([1, 2]);
    expected.extend([0; 14]);
    expected.extend([3, 4]);
    expected.extend([0; 15]);
    expected.push(5);
    expected.extend([0; 7]);
    expected.extend([6, 1]);
    expected.extend(b"\0\x03a=b");
    expected.extend(b"\x02\x01k\0\x02vv\x02\xc3\xa9\0\0");
    assert_eq!(encoded(&everything), expected);
}

#[test]
fn unknown_flags_are_refused() {
    for flags in [0b10_0000, 0b1000] {
        let error = Metadata::decode(&[flags]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("can't be decoded: metadata flags {flags:#04x} are unknown")
        );
    }
    assert_eq!(
        Metadata::decode(&[1, 2]).unwrap_err().to_string(),
        "can't be decoded: metadata ends too early"
    );
}

#[test]
fn broken_bounds_are_explained() {
    let message = |metadata: Metadata| metadata.validate().unwrap_err().to_string();
    let header = |key: &str, value: &str| with_headers(vec![(key.into(), value.into())]);

    assert_eq!(
        message(with_headers(vec![("k".into(), "v".into()); 33])),
        "metadata has 33 headers; the limit is 32"
    );
    assert_eq!(
        message(header("", "v")),
        "the key of metadata header 0 is empty; it takes 1 to 128 bytes"
    );
    assert_eq!(
        message(header(&"k".repeat(129), "v")),
        "the key of metadata header 0 has 129 bytes; the limit is 128"
    );
    assert_eq!(
        message(header("a\r", "v")),
        "the key of metadata header 0 has a control character at byte 1; remove it or encode it"
    );
    assert_eq!(
        message(header("key", &"v".repeat(1025))),
        "the value of metadata header \"key\" has 1025 bytes; the limit is 1024"
    );
    assert_eq!(
        message(with_headers(vec![("k".into(), "v".repeat(1024)); 8])),
        "metadata has 8226 bytes when encoded; the limit is 8192"
    );
    let state = Some("s".repeat(513));
    let trace = Some(TraceContext {
        trace_id: 1,
        span_id: 1,
        flags: 0,
        state,
    });
    assert_eq!(
        message(Metadata {
            trace,
            ..Metadata::default()
        }),
        "the trace state has 513 bytes; the limit is 512"
    );
}

#[test]
fn the_largest_metadata_fits() {
    let value = |bytes| ("k".repeat(limits::METADATA_KEY_BYTES_MAX), "v".repeat(bytes));
    let mut headers = vec![value(limits::METADATA_VALUE_BYTES_MAX); 7];
    let used = with_headers(headers.clone()).encoded_len();
    headers.push(("k".into(), "v".repeat(limits::METADATA_BYTES_MAX - used - 4)));
    let largest = with_headers(headers);
    assert_eq!(
        (largest.validate(), largest.encoded_len()),
        (Ok(()), limits::METADATA_BYTES_MAX)
    );
    assert_eq!(Metadata::decode(&encoded(&largest)), Ok(largest));
}

#[test]
fn what_is_no_traceparent() {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    for wrong in [
        String::new(),
        "00".into(),
        format!("00-{ids}"),
        format!("00-{ids}-1"),
        format!("00-{ids}-01-more"),
        format!("ff-{ids}-01"),
        format!("00-{}-01", ids.to_uppercase()),
        format!("00-{}-01", ids.replace('0', "+")),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01".into(),
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".into(),
    ] {
        assert_eq!(wrong.parse::<TraceContext>(), Err(InvalidTraceParent), "{wrong}");
    }
    let later_version: TraceContext = format!("01-{ids}-00-more").parse().unwrap();
    assert_eq!(later_version.to_string(), format!("00-{ids}-00"));
    assert!(!later_version.is_sampled());
}
