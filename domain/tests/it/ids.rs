use std::time::Duration;

use dormouse_domain::{
    AggregateId, AggregateType, Clock, Codec, CommandId, EventId, Expected, Offset, Position, ShardId,
    SizeLimit, StreamId, Timestamp, Version,
};
use proptest::prelude::*;
use uuid::Uuid;

const LIMIT: SizeLimit = SizeLimit {
    field: "id",
    bytes_max: 10_000,
};

fn message(id: &str) -> String {
    AggregateId::try_from(id).unwrap_err().to_string()
}

#[test]
fn ids_out_of_bounds_are_explained() {
    assert_eq!(message(""), "aggregate id is empty; it takes 1 to 512 bytes");
    assert_eq!(
        message(&"é".repeat(257)),
        "aggregate id has 514 bytes; the limit is 512"
    );
    assert_eq!(
        message("a\0b"),
        "aggregate id has a control character at byte 1; remove it or encode it"
    );
    assert_eq!(
        message("é\n"),
        "aggregate id has a control character at byte 2; remove it or encode it"
    );
    assert_eq!(
        message("\u{85}"),
        "aggregate id has a control character at byte 0; remove it or encode it"
    );
    assert!(AggregateId::try_from("x".repeat(512)).is_ok());

    let message = |name: String| AggregateType::new(name).unwrap_err().to_string();
    assert_eq!(
        message(String::new()),
        "aggregate type is empty; it takes 1 to 64 bytes"
    );
    assert_eq!(
        message("x".repeat(65)),
        "aggregate type has 65 bytes; the limit is 64"
    );
    assert_eq!(
        message("a\tb".into()),
        "aggregate type has a control character at byte 1; remove it or encode it"
    );
}

#[test]
fn ids_are_checked_when_they_are_read_too() {
    let error = Codec::Json.decode::<AggregateId>(br#""a\u0000""#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't be decoded: aggregate id has a control character at byte 1; remove it or encode it"
    );
    assert!(Codec::Bincode.decode::<AggregateId>(&[0]).is_err());
}

#[test]
fn names_and_positions_are_displayed() {
    let id = AggregateId::try_from("acc-1").unwrap();
    let stream = StreamId::new(AggregateType::from_static("account"), id.clone());
    assert_eq!(stream.to_string(), "account/acc-1");
    assert_eq!(format!("{id:?}"), "\"acc-1\"");
    let position = Position::new(ShardId::FIRST, Offset::new(17));
    assert_eq!(position.to_string(), "0:17");
    assert_eq!(format!("{position:?}"), "0:17");
    assert_eq!(Version::NONE.next().plus(2).to_string(), "3");
}

#[test]
fn expectations() {
    let (none, one, two) = (Version::NONE, Version::new(1), Version::new(2));
    let allowed = |expected: Expected| [none, one, two].map(|version| expected.allows(version));
    assert_eq!(allowed(Expected::Any), [true, true, true]);
    assert_eq!(allowed(Expected::Absent), [true, false, false]);
    assert_eq!(allowed(Expected::Exists), [false, true, true]);
    assert_eq!(allowed(Expected::At(one)), [false, true, false]);
    assert_eq!(allowed(Expected::At(none)), [true, false, false]);
}

#[test]
fn ids_from_keys_never_change() {
    // Clients' idempotency keys must give the same ids after an upgrade.
    assert_eq!(
        CommandId::from_key("order-1").to_string(),
        "bcdbde45-eb47-51a4-a291-923240053734"
    );
}

#[test]
fn only_version_7_is_time_ordered() {
    let v7: CommandId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
    assert!(v7.is_time_ordered());
    assert_eq!(v7.time().unwrap().to_string(), "2022-02-22T19:22:22.000000Z");

    let v4 = CommandId::from_uuid(Uuid::from_u128(0x919108f7_52d1_4320_9bac_f847db4148a8));
    assert!(!v4.is_time_ordered());
    assert_eq!(v4.time(), None);
    // The version of 7 in a UUID of another variant means something else.
    let foreign = CommandId::from_uuid(Uuid::from_u128(0x017f22e2_79b0_7cc3_c8c4_dc0c0c07398f));
    assert!(!foreign.is_time_ordered());

    let (first, second) = (CommandId::now(), CommandId::now());
    assert!(first < second && first.as_u128() < second.as_u128());
    let now = Clock::system().now();
    assert!(now.since(first.time().unwrap()) < Duration::from_secs(60));
}

#[test]
fn times_are_rfc_3339() {
    let text = |seconds: u64| Timestamp::from_millis(seconds * 1000).to_string();
    assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(text(951_782_399), "2000-02-28T23:59:59.000000Z");
    assert_eq!(text(951_782_400), "2000-02-29T00:00:00.000000Z");
    assert_eq!(text(951_868_800), "2000-03-01T00:00:00.000000Z");
    assert_eq!(text(4_107_542_400), "2100-03-01T00:00:00.000000Z");
    assert_eq!(text(1_388_534_399), "2013-12-31T23:59:59.000000Z");
    assert_eq!(
        Timestamp::from_micros(1).to_string(),
        "1970-01-01T00:00:00.000001Z"
    );
    assert_eq!(format!("{:?}", Timestamp::EPOCH), "1970-01-01T00:00:00.000000Z");
}

#[test]
fn times_are_read_from_rfc_3339() {
    let read = |text: &str| text.parse::<Timestamp>().map(Timestamp::as_micros).ok();
    assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(read("1970-01-01T00:00:00.5Z"), Some(500_000));
    assert_eq!(read("2000-02-29T00:00:00.000001Z"), Some(951_782_400_000_001));
    for wrong in [
        "",
        "Z",
        "1970-01-01",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01t00:00:00z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.0000001Z",
        "1970-01-01T00:00:00.1.2Z",
        "1970-1-1T00:00:00Z",
        "+1970-01-01T00:00:00Z",
        "1970-01-01T00:00:+1Z",
        "999999-01-01T00:00:00Z",
        "１970-01-01T00:00:00Z",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    assert_eq!(
        "noon".parse::<Timestamp>().unwrap_err().to_string(),
        "\"noon\" is not a time; write it in UTC, from 1970 on, with at most six decimals: 2013-01-01T05:17:00.000250Z"
    );
}

#[test]
fn a_held_clock_moves_only_when_told() {
    let clock = Clock::held(Timestamp::from_millis(1_000));
    let start = clock.monotonic();
    assert_eq!(
        (clock.now(), clock.monotonic()),
        (Timestamp::from_millis(1_000), start)
    );

    clock.clone().advance(Duration::from_secs(2));
    assert_eq!(clock.now(), Timestamp::from_millis(3_000));
    assert_eq!(clock.monotonic().since(start), Duration::from_secs(2));

    clock.set_wall(Timestamp::EPOCH);
    assert_eq!(clock.now(), Timestamp::EPOCH);
    assert_eq!(clock.monotonic(), start + Duration::from_secs(2));
    assert_eq!(start.since(clock.monotonic()), Duration::ZERO);
}

#[test]
#[should_panic(expected = "only a held clock can be moved")]
fn the_systems_clock_cannot_be_moved() {
    Clock::system().advance(Duration::from_secs(1));
}

fn valid_id() -> impl Strategy<Value = String> {
    "\\P{Cc}{1,100}"
}

proptest! {
    #[test]
    fn valid_ids_survive(text in valid_id()) {
        let id = AggregateId::try_from(text.as_str()).unwrap();
        prop_assert_eq!(id.as_str(), &text);
        prop_assert_eq!(id.to_string().parse::<AggregateId>(), Ok(id.clone()));
        for codec in [Codec::Bincode, Codec::Json] {
            let mut bytes = Vec::new();
            codec.encode(&id, &mut bytes, LIMIT).unwrap();
            prop_assert_eq!(codec.decode::<AggregateId>(&bytes), Ok(id.clone()));
        }
    }

    #[test]
    fn an_id_is_valid_exactly_within_its_bounds(text in ".{0,600}") {
        let within = (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
        prop_assert_eq!(AggregateId::try_from(text).is_ok(), within);
    }

    #[test]
    fn command_ids_survive(bits in any::<u128>()) {
        let id = CommandId::from_uuid(Uuid::from_u128(bits));
        prop_assert_eq!(id.to_string().parse::<CommandId>().unwrap(), id);
        prop_assert_eq!(id.as_u128(), bits);
        for codec in [Codec::Bincode, Codec::Json] {
            let mut bytes = Vec::new();
            codec.encode(&id, &mut bytes, LIMIT).unwrap();
            prop_assert_eq!(codec.decode::<CommandId>(&bytes), Ok(id));
        }
    }

    #[test]
    fn event_ids_are_uuids_of_version_7_in_the_order_of_time_and_position(
        a in (0u64..1 << 47, any::<u16>(), 0u64..1 << 58),
        b in (0u64..1 << 47, any::<u16>(), 0u64..1 << 58),
    ) {
        let derive = |(millis, shard, offset): (u64, u16, u64)| {
            EventId::derive(Timestamp::from_millis(millis), Position::new(ShardId::new(shard), Offset::new(offset)))
        };
        let (id, other) = (derive(a), derive(b));
        prop_assert_eq!(id.cmp(&other), a.cmp(&b));
        let as_command_id = CommandId::from_uuid(id.as_uuid());
        prop_assert!(as_command_id.is_time_ordered());
        prop_assert_eq!(as_command_id.time(), Some(Timestamp::from_millis(a.0)));
        prop_assert_eq!(id.position(), Position::new(ShardId::new(a.1), Offset::new(a.2)));
        prop_assert_eq!(EventId::from_uuid(id.as_uuid()), Some(id));
    }

    #[test]
    fn what_has_not_the_shape_of_an_event_id_is_none(bits in any::<u128>()) {
        let uuid = Uuid::from_u128(bits);
        let has_shape = CommandId::from_uuid(uuid).is_time_ordered();
        prop_assert_eq!(EventId::from_uuid(uuid).is_some(), has_shape);
    }

    #[test]
    fn times_survive_their_text(micros in any::<u64>()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[0-9]{0,7}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,7})?Z") {
        let _ = text.parse::<Timestamp>();
    }

    #[test]
    fn times_survive_the_systems_type(micros in 0u64..1 << 55) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(Timestamp::from(std::time::SystemTime::from(time)), time);
    }
}
