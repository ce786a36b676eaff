//! Logs as RocksDB writes them, whole and damaged.

mod record_end;

use super::*;

/// Writes records as RocksDB's `log::Writer` does.
pub(crate) fn write_log(records: &[Vec<u8>]) -> Vec<u8> {
    let mut log = Vec::new();
    for record in records {
        let mut rest = record.as_slice();
        let mut first = true;
        loop {
            let left = BLOCK_BYTES - log.len() % BLOCK_BYTES;
            if left < HEADER_BYTES {
                log.resize(log.len() + left, 0);
                continue;
            }
            let (part, after) = rest.split_at(rest.len().min(left - HEADER_BYTES));
            let tag = match (first, after.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            push_fragment(&mut log, tag, part);
            (rest, first) = (after, false);
            if rest.is_empty() {
                break;
            }
        }
    }
    log
}

#[test]
fn a_recyclable_type_that_rocksdb_would_not_step_over_is_found() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let whole = write_log(&[vec![1; 50], vec![2; 40_000], vec![3; 60]]);
    let found = |bytes: &[u8]| {
        std::fs::write(file.path(), bytes).unwrap();
        read_for_ever(file.path()).unwrap()
    };
    assert_eq!(found(&whole), None);
    let last = whole.len() - 60 - HEADER_BYTES;
    for (at, bit) in [(0, 4), (57, 4), (last, 4)] {
        let mut flipped = whole.clone();
        flipped[at + 6] ^= bit;
        assert_eq!(found(&flipped), Some(at as u64));
    }
    // RocksDB leaves out the rest of the block, and what is in it.
    let mut flipped = whole.clone();
    flipped[10] ^= 1;
    flipped[57 + 6] ^= 4;
    assert_eq!(found(&flipped), None);
}

#[derive(Debug, PartialEq)]
enum Seen {
    Record(u64, usize, u8),
    Damage(u64, DamageKind),
}

fn seen(log: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let length = scan_bytes(&mut &*log, &mut |found| {
        seen.push(match found {
            Found::Record { at, bytes, .. } => Seen::Record(at, bytes.len(), bytes[0]),
            Found::Damage(damage) => Seen::Damage(damage.at, damage.kind),
        });
    })
    .unwrap();
    assert_eq!(length, log.len() as u64);
    seen
}

fn three() -> Vec<Vec<u8>> {
    vec![vec![1; 100], vec![2; 100_000], vec![3; 50]]
}

#[test]
fn whole_records_are_joined_over_blocks() {
    let log = write_log(&three());
    let [
        Seen::Record(0, 100, 1),
        Seen::Record(107, 100_000, 2),
        Seen::Record(_, 50, 3),
    ] = seen(&log)[..]
    else {
        panic!("{:?}", seen(&log))
    };
}

#[test]
fn a_record_that_leaves_no_room_for_a_header_pads_its_block() {
    let log = write_log(&[vec![1; BLOCK_BYTES - HEADER_BYTES - 3], vec![2; 10]]);
    assert_eq!(log.len(), BLOCK_BYTES + 17);
    assert_eq!(seen(&log)[1], Seen::Record(BLOCK_BYTES as u64, 10, 2));
}

#[test]
fn every_cut_is_seen_as_a_cut_or_as_a_shorter_log() {
    let log = write_log(&three());
    let ends = [0, 107, log.len() - 57, log.len()];
    for length in (0..log.len())
        .step_by(331)
        .chain([1, 106, 107, 108, log.len() - 1])
    {
        let seen = seen(&log[..length]);
        let whole = ends.iter().filter(|end| **end > 0 && **end <= length).count();
        let records = seen
            .iter()
            .filter(|item| matches!(item, Seen::Record(..)))
            .count();
        assert_eq!(records, whole, "cut at {length}");
        match seen.last() {
            Some(Seen::Damage(at, DamageKind::Cut)) => assert_eq!(*at, ends[whole] as u64),
            _ => assert!(ends.contains(&length), "cut at {length}: {seen:?}"),
        }
    }
}

/// All that is left of it is whole.
#[test]
fn a_cut_between_two_fragments_of_a_record_is_seen() {
    let log = write_log(&three());
    let cut_at = |length| seen(&log[..length]).pop();
    assert_eq!(cut_at(BLOCK_BYTES), Some(Seen::Damage(107, DamageKind::Cut)));
    assert_eq!(cut_at(2 * BLOCK_BYTES), Some(Seen::Damage(107, DamageKind::Cut)));
}

#[test]
fn every_flipped_bit_is_seen_and_hides_no_other_record() {
    let records: Vec<Vec<u8>> = (1..=40).map(|n| vec![n; 200]).collect();
    let log = write_log(&records);
    for byte in 0..log.len() {
        let mut damaged = log.clone();
        damaged[byte] ^= 1 << (byte % 8);
        let seen = seen(&damaged);
        let hit = byte / 207;
        let found: Vec<u8> = seen
            .iter()
            .filter_map(|s| {
                if let Seen::Record(_, _, n) = s {
                    Some(*n)
                } else {
                    None
                }
            })
            .collect();
        let expected: Vec<u8> = (1..=40).filter(|n| usize::from(*n) != hit + 1).collect();
        assert_eq!(found, expected, "byte {byte}");
        assert!(
            seen.iter()
                .any(|s| matches!(s, Seen::Damage(at, _) if *at == hit as u64 * 207)),
            "byte {byte}"
        );
    }
}

#[test]
fn a_zeroed_block_hits_the_record_over_it() {
    let mut log = write_log(&three());
    log[BLOCK_BYTES..2 * BLOCK_BYTES].fill(0);
    let seen = seen(&log);
    assert_eq!(seen[1], Seen::Damage(107, DamageKind::Zeroes));
    assert!(matches!(seen.last(), Some(Seen::Record(_, 50, 3))), "{seen:?}");
}

#[test]
fn notes_of_rocksdb_are_no_records() {
    let mut log = Vec::new();
    push_fragment(&mut log, 130, &[7; 24]);
    push_fragment(&mut log, 10, &[7; 6]);
    push_fragment(&mut log, 1, &[9; 20]);
    assert_eq!(seen(&log), [Seen::Record(24 + 7 + 6 + 7, 20, 9)]);
}

/// As it happens where a block has room for a header and nothing else.
#[test]
fn a_record_may_begin_with_an_empty_fragment() {
    let mut log = write_log(&[vec![1; BLOCK_BYTES - 2 * HEADER_BYTES], vec![2; 10]]);
    let begins = (BLOCK_BYTES - HEADER_BYTES) as u64;
    assert_eq!(log.len(), BLOCK_BYTES + HEADER_BYTES + 10);
    assert_eq!(seen(&log)[1], Seen::Record(begins, 10, 2));
    log[100] ^= 1;
    let found_behind_damage = [Seen::Damage(0, DamageKind::Checksum), Seen::Record(begins, 10, 2)];
    assert_eq!(seen(&log), found_behind_damage);
}

#[test]
fn a_record_without_its_end_is_damage_whatever_comes_next() {
    let begun = |rest: &[(u8, usize)]| {
        let mut log = Vec::new();
        push_fragment(&mut log, 2, &[7; 20]);
        for (tag, bytes) in rest {
            push_fragment(&mut log, *tag, &vec![9; *bytes]);
        }
        seen(&log)
    };
    let lost = Seen::Damage(0, DamageKind::Fragment);
    assert_eq!(begun(&[(1, 30)]), [lost, Seen::Record(27, 30, 9)]);
    let lost = Seen::Damage(0, DamageKind::Fragment);
    assert_eq!(begun(&[(2, 30), (4, 5)]), [lost, Seen::Record(27, 35, 9)]);
}

#[test]
fn unknown_types_are_damage_unless_they_may_be_skipped() {
    let mut log = Vec::new();
    for tag in [12, SAFE_TO_IGNORE | 12] {
        push_fragment(&mut log, tag, &[7; 20]);
    }
    assert_eq!(seen(&log), [Seen::Damage(0, DamageKind::UnknownType(12))]);
}

/// Fails once, then gives one byte a time.
struct Faltering<'a>(Option<io::ErrorKind>, &'a [u8]);

impl Read for Faltering<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(kind) => Err(kind.into()),
            None => self.1.read(&mut into[..1]),
        }
    }
}

#[test]
fn an_interrupted_read_goes_on_and_a_failed_one_is_told() {
    let log = write_log(&[vec![1; 100]]);
    let mut records = 0;
    let mut scan = |kind| scan_bytes(&mut Faltering(Some(kind), &log), &mut |_| records += 1);
    assert_eq!(scan(io::ErrorKind::Interrupted).unwrap(), log.len() as u64);
    let failed = scan(io::ErrorKind::PermissionDenied).unwrap_err();
    assert_eq!((failed.kind(), records), (io::ErrorKind::PermissionDenied, 1));
}
