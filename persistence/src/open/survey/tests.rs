//! Payloads that look like records of the log: whatever is damaged, they count for nothing, and hide nothing.

mod lost;

use dormouse_domain::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::open::wal::push_fragment;
use crate::open::wal::tests::write_log;

const SHARD: ShardId = ShardId::FIRST;
const BLOCK_BYTES: usize = 32 * 1024;
const PAGE_BYTES: usize = 4096;

/// A chain of segments of one event each, as records of a write-ahead file.
#[derive(Default)]
struct Chain {
    records: Vec<Vec<u8>>,
    previous: u128,
}

impl Chain {
    fn push(&mut self, content: &[u8]) {
        let number = self.records.len() as u64 + 1;
        let segment = segment_of(number, Offset::new(number), self.previous, content);
        self.previous = segment::hash(&segment);
        self.records.push(put(Offset::new(number), &segment));
    }
}

pub(in crate::open) fn segment_of(batch: u64, first: Offset, previous: u128, content: &[u8]) -> Vec<u8> {
    let header = segment::Header {
        shard: SHARD,
        epoch: 1,
        batch,
        first,
        time: Timestamp::from_micros(batch),
        previous,
        events: 1,
        commits: 1,
    };
    let mut segment = vec![0; segment::HEADER_BYTES];
    segment.extend_from_slice(content);
    segment::seal(&mut segment, &header);
    segment
}

fn push_string(batch: &mut Vec<u8>, string: &[u8]) {
    let mut len = string.len();
    while len >= 0x80 {
        batch.push(len as u8 | 0x80);
        len >>= 7;
    }
    batch.push(len as u8);
    batch.extend_from_slice(string);
}

/// A write batch as RocksDB makes it of one put.
pub(in crate::open) fn put(first: Offset, segment: &[u8]) -> Vec<u8> {
    let mut batch = [&first.get().to_le_bytes()[..], &1_u32.to_le_bytes(), &[1]].concat();
    push_string(&mut batch, &keys::log(SHARD, first));
    push_string(&mut batch, segment);
    batch
}

/// A whole fragment with a whole segment in it, as an event's payload may hold it.
fn forged(batch: u64, first: u64) -> Vec<u8> {
    let first = Offset::new(first);
    let mut fragment = Vec::new();
    push_fragment(
        &mut fragment,
        1,
        &put(first, &segment_of(batch, first, 0, b"forged")),
    );
    fragment
}

/// A payload of about so many bytes that is full of them: offsets and batch numbers far ahead, or just ahead.
fn full_of_forgeries(bytes: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut numbers = 1_u64..;
    while payload.len() < bytes {
        let number = numbers.next().unwrap();
        payload.extend(forged(number % 5 + 3, number % 7 + 3));
        payload.extend(forged(1 << 40, 1 << 40));
    }
    payload
}

fn surveyed(log: &[u8]) -> Survey {
    surveyed_files(&[log])
}

/// In the order in which they were written.
fn surveyed_files(files: &[&[u8]]) -> Survey {
    let directory = TempDir::new().unwrap();
    for (number, log) in files.iter().enumerate() {
        let name = format!("{:06}.log", number + 7);
        fs::write(directory.path().join(name), log).unwrap();
    }
    survey(directory.path(), SHARD).unwrap()
}

/// Two records, the second with a payload of forgeries, then so many more. Where the second begins and ends.
fn log_with(payload: &[u8], behind: usize) -> (Vec<u8>, usize, usize) {
    let mut chain = Chain::default();
    chain.push(&[7; 300]);
    let begins = write_log(&chain.records).len();
    chain.push(payload);
    let ends = write_log(&chain.records).len();
    (0..behind).for_each(|_| chain.push(&[9; 200]));
    (write_log(&chain.records), begins, ends)
}

#[test]
fn a_whole_log_is_read_past_what_its_payloads_look_like() {
    for bytes in [500, 100_000] {
        let (log, ..) = log_with(&full_of_forgeries(bytes), 2);
        let found = surveyed(&log);
        assert!(found.issues.is_empty(), "{:?}", found.issues);
        assert_eq!(found.tip.unwrap().offset, Offset::new(4));
    }
}

/// As a kill in the middle of a write leaves it.
#[test]
fn a_cut_record_is_torn_whatever_its_payload_looks_like() {
    for bytes in [500, 100_000] {
        let (log, begins, ends) = log_with(&full_of_forgeries(bytes), 0);
        for cut in (begins + 1..ends).step_by(if bytes < 1_000 { 1 } else { 97 }) {
            let found = surveyed(&log[..cut]);
            let [issue] = &found.issues[..] else {
                panic!("cut at {cut}: {:?}", found.issues)
            };
            let torn = (begins as u64, IssueKind::Bytes(DamageKind::Cut), None);
            assert_eq!((issue.at, issue.kind.clone(), issue.after), torn, "cut at {cut}");
            assert_eq!(found.tip.unwrap().offset, Offset::new(1));
        }
    }
}

/// As a power cut leaves it: any page of the write is missing, also the one with the record's beginning.
#[test]
fn a_record_that_lost_a_page_is_torn_whatever_its_payload_looks_like() {
    let far_ahead: Vec<u8> = std::iter::repeat_with(|| forged(1 << 40, 1 << 40))
        .take(700)
        .flatten()
        .collect();
    let (log, begins, ends) = log_with(&far_ahead, 0);
    assert!(ends > 2 * BLOCK_BYTES);
    for page in (0..ends).step_by(PAGE_BYTES) {
        let mut torn = log.clone();
        torn[page.max(begins)..(page + PAGE_BYTES).min(ends)].fill(0);
        let found = surveyed(&torn);
        assert!(!found.issues.is_empty(), "the page at {page}");
        for issue in &found.issues {
            assert_eq!(issue.after, None, "the page at {page}: {issue:?}");
        }
        assert_eq!(found.issues[0].at, begins as u64);
        assert_eq!(found.tip.unwrap().offset, Offset::new(1));
    }
}

/// Rot in a record with whole ones behind it is never taken for a torn write, and never costs one of those.
#[test]
fn damage_before_whole_records_is_seen_whatever_a_payload_looks_like() {
    for (bytes, step) in [(500, 1), (70_000, 211)] {
        for payload in [vec![5; bytes], full_of_forgeries(bytes)] {
            let (log, begins, ends) = log_with(&payload, 2);
            for at in (begins..begins + 140).chain((begins + 140..ends).step_by(step)) {
                let mut flipped = log.clone();
                flipped[at] ^= 1 << (at % 8);
                let found = surveyed(&flipped);
                let issue = &found.issues[0];
                assert_eq!(issue.at, begins as u64, "byte {at}");
                assert!(issue.after.is_some(), "byte {at}: {issue:?}");
                // Where the record's own lengths are left, nothing inside it is even looked at.
                if payload[0] == 5 || at >= begins + 140 {
                    let seen = (issue.after, found.tip.unwrap().offset);
                    assert_eq!(seen, (Some(Offset::new(3)), Offset::new(4)), "byte {at}");
                }
            }
        }
    }
}

/// Whatever overwrites a record's beginning, lengths among it: the whole records behind it are found.
#[test]
fn garbage_over_a_records_beginning_hides_nothing_behind_it() {
    let (log, begins, _) = log_with(&[5; 300], 2);
    for length in [300, 4_000, 40_000_u16] {
        for tag in [1, 2] {
            let mut overwritten = log.clone();
            overwritten[begins + 4..begins + 6].copy_from_slice(&length.to_le_bytes());
            overwritten[begins + 6] = tag;
            overwritten[begins + 7..begins + 40].fill(0xa7);
            let found = surveyed(&overwritten);
            assert_eq!(found.issues[0].after, Some(Offset::new(3)), "{length}, {tag}");
            assert_eq!(found.tip.unwrap().offset, Offset::new(4));
        }
    }
}
