//! What is left of a damaged record says where it ends, if all of it agrees.

use dormouse_domain::Offset;

use super::*;
use crate::open::survey::tests::{put, segment_of};

/// The write batch of one segment, of so many bytes.
fn record(bytes: usize) -> Vec<u8> {
    let first = Offset::new(1);
    let of = |content| put(first, &segment_of(1, first, 0, &vec![7; content]));
    let around = of(0).len();
    // a larger segment's length takes more bytes
    (0..3)
        .map(|more| of(bytes - around - more))
        .find(|batch| batch.len() == bytes)
        .expect("there is one")
}

/// What the file's first damage says of its place and of the record's end, and the bytes of the last whole record.
fn damage(log: &[u8]) -> (u64, Option<u64>, usize) {
    let (mut first, mut last) = (None, 0);
    scan_bytes(&mut &*log, &mut |found| match found {
        Found::Damage(damage) => _ = first.get_or_insert(damage),
        Found::Record { bytes, .. } => last = bytes.len(),
    })
    .unwrap();
    let first: Damage = first.expect("it is damaged");
    (first.at, first.record_end, last)
}

/// A record that finds so much room in its block, and one behind it. Where the first begins and ends.
fn log_with(bytes: usize, room: usize) -> (Vec<u8>, usize, usize) {
    let begins = BLOCK_BYTES - room;
    let mut records = Vec::new();
    if begins > 0 {
        records.push(vec![1; begins - HEADER_BYTES]);
    }
    records.push(record(bytes));
    let ends = write_log(&records).len();
    records.push(vec![3; LAST]);
    (write_log(&records), begins, ends)
}

/// Bytes of the record behind the damaged one.
const LAST: usize = 50;

#[test]
fn a_record_of_which_any_part_but_its_beginning_is_damaged_says_where_it_ends() {
    for room in [BLOCK_BYTES, 20_000, 1_000] {
        let fits = room - HEADER_BYTES;
        let fills_two = fits + BLOCK_BYTES - HEADER_BYTES;
        for bytes in [500, fits - 1, fits, fits + 1, fills_two, fills_two + 1, 100_000] {
            let (log, begins, ends) = log_with(bytes, room);
            let first_end = ends.min(begins + room);
            let spoilt = [Some(first_end - 1), (ends > first_end).then_some(ends - 1)];
            for at in spoilt.into_iter().flatten() {
                let mut log = log.clone();
                log[at] ^= 1;
                let expected = (begins as u64, Some(ends as u64), LAST);
                assert_eq!(damage(&log), expected, "{bytes} bytes in {room}, byte {at}");
            }
        }
    }
}

#[test]
fn a_record_whose_lengths_do_not_agree_does_not_say_where_it_ends() {
    let room = 1_000;
    let (within, exactly, beyond) = (500, room - HEADER_BYTES, 2_000);
    let shorter: fn(&mut [u8]) = |header| header[4] -= 1;
    let begins: fn(&mut [u8]) = |header| header[6] = 2;
    let goes_on: fn(&mut [u8]) = |header| header[6] = 3;
    let put_is_longer: fn(&mut [u8]) = |record| record[HEADER_BYTES + 24] ^= 1;
    let two_puts: fn(&mut [u8]) = |record| record[HEADER_BYTES + 8] = 2;
    for (bytes, what, change) in [
        (within, "a shorter fragment", shorter),
        (exactly, "a shorter fragment", shorter),
        (beyond, "a shorter fragment", shorter),
        (within, "a first fragment", begins),
        (exactly, "a first fragment", begins),
        (within, "a middle fragment", goes_on),
        (beyond, "a middle fragment", goes_on),
        (within, "a longer put", put_is_longer),
        (beyond, "a longer put", put_is_longer),
        (within, "two puts", two_puts),
    ] {
        let (mut log, begins, _) = log_with(bytes, room);
        change(&mut log[begins..]);
        assert_eq!(damage(&log), (begins as u64, None, LAST), "{what}, {bytes} bytes");
    }
}

/// Fragments that hold more than their record says it has.
#[test]
fn an_end_before_the_damage_is_none() {
    for more in [0, 10] {
        let mut log = Vec::new();
        let mut part = record(300);
        part.resize(300 + more, 0);
        push_fragment(&mut log, 2, &part);
        push_fragment(&mut log, 4, &[9; 30]);
        *log.last_mut().unwrap() ^= 1;
        push_fragment(&mut log, 1, &[3; LAST]);
        assert_eq!(damage(&log), (0, None, LAST), "{more} more");
    }
}

/// It may stand in a payload, to hide the whole records behind it.
#[test]
fn what_was_found_by_trying_every_byte_does_not_say_where_it_ends() {
    let mut payload = Vec::new();
    push_fragment(&mut payload, 1, &record(200));
    let mut beginning = Vec::new();
    push_fragment(&mut beginning, 1, &record(20_000));
    payload.extend_from_slice(&beginning[..300]);
    let first = Offset::new(1);
    let hostile = put(first, &segment_of(1, first, 0, &payload));
    let mut log = write_log(&[hostile, vec![3; LAST]]);
    log[..40].fill(0xa7);
    assert_eq!(damage(&log), (0, None, LAST));
}
