//! How many batches may be missing where damage was: that many at most, and no fewer.

use super::*;

/// What no record begins with, nor says anything of its length.
const GARBAGE: u8 = 0xa7;

/// Records of one length each, and that length in a write-ahead file.
fn chain_of(records: usize) -> (Chain, usize) {
    let mut chain = Chain::default();
    (0..records).for_each(|_| chain.push(b"content"));
    let bytes = write_log(&chain.records[..1]).len();
    assert!(records * bytes < BLOCK_BYTES, "all in one block");
    (chain, bytes)
}

fn check(found: &Survey, at: usize, after: u64, end: u64) {
    let [issue] = &found.issues[..] else {
        panic!("{:?}", found.issues)
    };
    assert_eq!((issue.at, issue.after), (at as u64, Some(Offset::new(after))));
    assert_eq!(found.tip.unwrap().offset, Offset::new(end));
}

#[test]
fn however_many_batches_are_lost_at_once_the_next_one_is_found() {
    let (chain, bytes) = chain_of(200);
    let whole = write_log(&chain.records);
    for lost in [1, 2, 3, 100, 180] {
        let mut log = whole.clone();
        log[bytes..(1 + lost) * bytes].fill(GARBAGE);
        check(&surveyed(&log), bytes, lost as u64 + 2, 200);
    }
}

#[test]
fn a_batch_for_whose_predecessors_the_damage_has_no_room_is_none() {
    const AHEAD: u64 = 100;
    for bytes_before in [0, 20_000] {
        let mut chain = Chain::default();
        chain.push(&vec![9; bytes_before]);
        let begins = write_log(&chain.records).len();
        chain.push(&forged(AHEAD, AHEAD));
        chain.push(b"content");
        let mut log = write_log(&chain.records);
        log[begins..begins + 40].fill(GARBAGE);
        check(&surveyed(&log), begins, 3, 3);
    }
}

#[test]
fn what_damage_lies_between_two_batches_costs_none() {
    let (chain, bytes) = chain_of(3);
    let (first, rest) = (write_log(&chain.records[..1]), write_log(&chain.records[1..]));
    let hash = segment::hash(&segment_of(1, Offset::new(1), 0, b"content"));
    let mut of_another_offset = Vec::new();
    let segment = segment_of(2, Offset::new(5), hash, b"forged");
    push_fragment(&mut of_another_offset, 1, &put(Offset::new(5), &segment));
    for payload in [vec![], forged(2, 2), of_another_offset] {
        let log = [&first, &vec![GARBAGE; 50], &payload, &rest]
            .map(Vec::as_slice)
            .concat();
        check(&surveyed(&log), bytes, 2, 3);
    }
}

/// A file that was shortened at a record's border says nothing of what it lost.
#[test]
fn an_earlier_file_may_have_lost_any_number_of_batches() {
    let (chain, bytes) = chain_of(40);
    let earlier = write_log(&chain.records[..2]);
    let mut newest = write_log(&chain.records[30..]);
    newest[..bytes].fill(GARBAGE);
    check(&surveyed_files(&[&earlier, &newest]), 0, 32, 40);
}
