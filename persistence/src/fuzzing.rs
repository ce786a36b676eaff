//! One door for each decoder of stored bytes: what `fuzz/` throws hostile bytes at, and the tests here the kept ones.
//!
//! Not crashing is the least of it. Where bytes are covered by a checksum, hostile ones hardly get past it, so each door
//! also gives them a right one; what is read then is written again and must be the same, and one changed byte must be
//! refused. Compiled for tests and by cargo-fuzz only.

use std::ops::ControlFlow;

use dormouse_domain::{Metadata, ShardId};

use crate::format::record::{self, Known, Record};
use crate::format::segment::{self, Compression, Header};
use crate::format::{keys, meta, rows, snapshot};
#[cfg(any(fuzzing, feature = "rocksdb"))]
use crate::open::{wal, wal_batch};

/// A decoder: bytes that may be anything, and what must hold of them.
pub type Door = fn(&[u8]);

/// All of them by name, which is that of their target and of their corpus.
pub const DOORS: &[(&str, Door)] = &[
    ("record", self::record),
    ("row", row),
    ("segment", self::segment),
    ("snapshot", self::snapshot),
    ("meta", self::meta),
    ("key", key),
    #[cfg(any(fuzzing, feature = "rocksdb"))]
    ("wal", wal),
    #[cfg(any(fuzzing, feature = "rocksdb"))]
    ("wal_batch", wal_batch),
    #[cfg(any(fuzzing, feature = "rocksdb"))]
    ("watermark", watermark),
];

/// A commit record.
pub fn record(bytes: &[u8]) {
    let _ = Record::decode(bytes, &Known::default());
    if let Some(sealed) = sealed_record(bytes) {
        whole_record(&sealed);
    }
}

/// The bytes with a right length and checksum, if there are enough of them.
fn sealed_record(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = bytes.to_vec();
    let len = u32::try_from(bytes.len()).ok()?;
    sealed.get_mut(..4)?.copy_from_slice(&len.to_le_bytes());
    let crc = crc32c::crc32c(sealed.get(8..)?);
    sealed[4..8].copy_from_slice(&crc.to_le_bytes());
    Some(sealed)
}

/// Looks at every part of a record, as readers, tail and indexer do. Whether it was one.
fn whole_record(bytes: &[u8]) -> bool {
    let Ok(record) = Record::decode(bytes, &Known::default()) else {
        return false;
    };
    let events: Vec<_> = record.events().collect();
    assert_eq!(events.len(), record.events as usize);
    assert_eq!(
        record.last_version().get() + 1 - record.first_version.get(),
        u64::from(record.events)
    );
    let payload: usize = events.iter().map(|event| event.payload.len()).sum();
    assert!(payload <= bytes.len(), "events lie inside their record");
    assert_eq!(
        record::command_id(bytes),
        record.command().map(|command| command.id)
    );
    let (aggregate_type, id) = record::names(bytes);
    assert_eq!(
        (aggregate_type, id),
        (record.aggregate_type.as_bytes(), record.id.as_bytes())
    );
    let _ = Metadata::decode(record.metadata);
    // names that were judged before are only a shorter way to the same
    let known = Known {
        aggregate_type: record.aggregate_type,
        id: record.id,
        event: record.event_name,
    };
    let again = Record::parse_knowing(bytes, &known).expect("it was sound a moment ago");
    assert!(again.events().eq(record.events()));
    refuses_a_changed_byte(bytes, |changed| {
        Record::decode(changed, &Known::default()).is_ok()
    });
    true
}

/// The value of a `streams` row.
pub fn row(bytes: &[u8]) {
    read_row(bytes);
    // each piece as one commit's record
    let mut row = Vec::new();
    let mut records = Vec::new();
    for piece in bytes.split(|byte| *byte == b'\n').take(8) {
        let Some(sealed) = sealed_record(piece).filter(|sealed| Record::parse(sealed).is_ok()) else {
            continue;
        };
        let first = dormouse_domain::Offset::new(1 + row.len() as u64);
        rows::push(
            &mut row,
            first,
            dormouse_domain::Timestamp::from_micros(7),
            &sealed,
        );
        records.push((first, sealed));
    }
    let read: Vec<_> = rows::entries(&row, Known::default())
        .map(|entry| entry.expect("a sound row"))
        .collect();
    assert_eq!(read.len(), records.len());
    for (entry, (first, record)) in read.iter().zip(&records) {
        let expected = Record::parse(record).expect("it was kept because it is sound");
        assert_eq!(
            (entry.first, entry.record.first_version),
            (*first, expected.first_version)
        );
        assert!(entry.record.events().eq(expected.events()));
    }
    if !row.is_empty() {
        refuses_a_changed_byte(&row, |changed| {
            rows::entries(changed, Known::default()).all(|entry| entry.is_ok())
        });
    }
}

fn read_row(bytes: &[u8]) {
    let commits = rows::entries(bytes, Known::default())
        .take_while(Result::is_ok)
        .count();
    assert!(commits * rows::ENTRY_HEADER_BYTES <= bytes.len());
}

/// A segment of the log, packed or not.
pub fn segment(bytes: &[u8]) {
    read_segment(bytes);
    let sealed = |compression, records: usize| {
        let header = Header {
            shard: ShardId::FIRST,
            epoch: 1,
            batch: 1,
            first: dormouse_domain::Offset::new(1),
            time: dormouse_domain::Timestamp::from_micros(7),
            previous: 0,
            events: 1,
            commits: 1,
        };
        let mut segment = [&[0; segment::HEADER_BYTES], bytes].concat();
        segment::seal_as(&mut segment, &header, compression, records);
        (segment, header)
    };
    // the records as they are
    let (plain, header) = sealed(Compression::None, bytes.len());
    let (read, records) = segment::decode(&plain).expect("a sound segment");
    assert_eq!((read, &*records), (header, bytes));
    refuses_a_changed_byte(&plain, |changed| segment::decode(changed).is_ok());
    walk_records(bytes);
    // the records packed by whoever wrote these bytes, who claims their length in front
    if let Some((claim, _)) = bytes.split_first_chunk::<4>() {
        read_segment(&sealed(Compression::Lz4, u32::from_le_bytes(*claim) as usize).0);
    }
    // and packed by us
    let mut packer = crate::format::packing::Packer::new();
    let mut room = [&[0; segment::HEADER_BYTES], bytes].concat();
    let packed = packer.seal(&mut room, &header).to_vec();
    let (_, records) = segment::decode(&packed).expect("what was packed");
    assert_eq!(&*records, bytes);
}

fn read_segment(bytes: &[u8]) {
    if let Ok((header, records)) = segment::decode(bytes) {
        assert!(records.len() <= segment::RECORDS_BYTES_MAX || records.len() <= bytes.len());
        assert!(header.last() >= header.first);
        walk_records(&records);
    }
}

/// Record by record, as the log is read.
fn walk_records(records: &[u8]) {
    let mut reader = crate::format::Reader::new(records);
    while !reader.is_empty() {
        let before = reader.rest().len();
        let Ok(bytes) = record::take(&mut reader) else {
            return;
        };
        assert!(reader.rest().len() < before, "it goes on");
        let _ = Record::parse(bytes);
    }
}

/// The value of a `snapshots` row.
pub fn snapshot(bytes: &[u8]) {
    let _ = snapshot::decode(bytes);
    let Some((crc_at, rest_at)) = bytes.len().checked_sub(8).map(|_| (4, 8)) else {
        return;
    };
    let mut sealed = bytes.to_vec();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..crc_at]), &bytes[rest_at..]);
    sealed[crc_at..rest_at].copy_from_slice(&crc.to_le_bytes());
    if let Ok(read) = snapshot::decode(&sealed) {
        let again = snapshot::decode(&snapshot::encode(&read));
        assert_eq!(again.as_ref(), Ok(&read));
        refuses_a_changed_byte(&sealed, |changed| snapshot::decode(changed).is_ok());
    }
}

/// The values of `meta` rows.
pub fn meta(bytes: &[u8]) {
    let sealed = [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat();
    for bytes in [bytes, &sealed] {
        if let Ok(format) = meta::decode_format(bytes) {
            assert_eq!(meta::encode_format(format), bytes);
            refuses_a_changed_byte(bytes, |changed| meta::decode_format(changed).is_ok());
        }
        if let Ok(indexed) = meta::Indexed::decode(bytes) {
            assert_eq!(indexed.encode(), bytes);
            refuses_a_changed_byte(bytes, |changed| meta::Indexed::decode(changed).is_ok());
        }
    }
}

/// The key of a log row.
pub fn key(bytes: &[u8]) {
    if let Some((shard, first)) = keys::parse_log(bytes) {
        assert_eq!(keys::log(shard, first), bytes);
    }
}

/// A file of RocksDB's write-ahead log.
#[cfg(any(fuzzing, feature = "rocksdb"))]
pub fn wal(bytes: &[u8]) {
    scan(bytes);
    // the same bytes as fragments with right checksums: a type, a length, so many bytes
    let (mut log, mut rest) = (Vec::new(), bytes);
    while let Some(([tag, len], after)) = rest.split_first_chunk::<2>() {
        let (part, after) = after.split_at(after.len().min(usize::from(*len)));
        wal::push_fragment(&mut log, *tag, part);
        rest = after;
    }
    scan(&log);
}

#[cfg(any(fuzzing, feature = "rocksdb"))]
fn scan(log: &[u8]) {
    let (mut kept, mut damaged) = (0, 0);
    let len = wal::scan_bytes(&mut &log[..], &mut |found| match found {
        wal::Found::Record { at, bytes, .. } => {
            assert!(at < log.len() as u64);
            kept += bytes.len();
            wal_batch(bytes);
        }
        wal::Found::Damage(damage) => {
            assert!(damage.at < log.len() as u64);
            damaged += 1;
        }
    });
    assert_eq!(len.expect("memory is read without errors"), log.len() as u64);
    assert!(kept <= log.len(), "no byte is in two records");
    assert!(damaged <= log.len());
}

/// A write batch in it.
#[cfg(any(fuzzing, feature = "rocksdb"))]
pub fn wal_batch(bytes: &[u8]) {
    let mut put = 0;
    wal_batch::visit_puts(bytes, &mut |found| put += found.key.len() + found.value.len());
    assert!(put <= bytes.len());
}

/// A slot of the watermark's file.
#[cfg(any(fuzzing, feature = "rocksdb"))]
pub fn watermark(bytes: &[u8]) {
    use crate::watermark::rewritten;
    assert!(rewritten(bytes).is_none_or(|again| again == bytes));
    let sealed = [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat();
    if let Some(again) = rewritten(&sealed) {
        assert_eq!(again, sealed);
        refuses_a_changed_byte(&sealed, |changed| rewritten(changed).is_some());
    }
}

/// One byte, which the bytes themselves choose, changed in one bit.
fn refuses_a_changed_byte(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(bytes));
    let choice = crc32c::crc32c(bytes) as usize;
    let mut changed = bytes.to_vec();
    changed[choice % bytes.len()] ^= 1 << (choice / bytes.len() % 8);
    assert!(
        !accepts(&changed),
        "byte {} may be anything",
        choice % bytes.len()
    );
}

/// What a store writes, so that fuzzing begins with what is sound: by door.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use crate::commit::CommitBuilder;
    use crate::engine::memory::MemoryDisk;
    use crate::options::StoreOptions;
    use crate::store::Store;
    use dormouse_domain::{
        AggregateType, Codec, CommandFingerprint, CommandId, Offset, SchemaVersion, StreamId, Timestamp,
        Version,
    };

    let mut seeds = Vec::new();
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default()).expect("a memory disk opens");
    let stream = StreamId::new(
        AggregateType::from_static("account"),
        "acc-1".try_into().expect("an id"),
    );
    let id = CommandId::from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
    let record = |first: u64, events: usize| {
        let mut commit = CommitBuilder::new(&stream, Version::new(first));
        for _ in 0..events {
            commit
                .system_event("deposited", b"5 cents")
                .expect("small enough");
        }
        let fingerprint = CommandFingerprint {
            name: 7,
            version: SchemaVersion::FIRST,
            fields: 9,
        };
        commit
            .command(id, fingerprint, Codec::Json, &42)
            .expect("small enough");
        commit.finish().expect("a commit").bytes
    };
    let _ = store.read_log(Offset::new(1), &mut |_| ControlFlow::Continue(()));
    let (one, two) = (record(1, 1), record(2, 3));
    seeds.push(("record", one.clone()));
    seeds.push(("record", two.clone()));
    seeds.push(("row", [&one[..], b"\n", &two].concat()));
    let mut row = Vec::new();
    rows::push(&mut row, Offset::new(1), Timestamp::from_micros(1), &one);
    rows::push(&mut row, Offset::new(2), Timestamp::from_micros(2), &two);
    seeds.push(("row", row));
    let header = Header {
        shard: ShardId::FIRST,
        epoch: 1,
        batch: 1,
        first: Offset::new(1),
        time: Timestamp::from_micros(1),
        previous: 0,
        events: 24,
        commits: 12,
    };
    for times in [1, 6] {
        let mut whole = vec![0; segment::HEADER_BYTES];
        for _ in 0..times {
            whole.extend_from_slice(&one);
            whole.extend_from_slice(&two);
        }
        let mut packer = crate::format::packing::Packer::new();
        let stored = packer.seal(&mut whole, &header).to_vec();
        seeds.push(("segment", stored[segment::HEADER_BYTES..].to_vec()));
        #[cfg(any(fuzzing, feature = "rocksdb"))]
        {
            let key = keys::log(ShardId::FIRST, Offset::new(1));
            let mut batch = vec![0; 12];
            batch.extend_from_slice(&[1, 10]);
            batch.extend_from_slice(&key);
            batch.extend_from_slice(&[(stored.len() % 128) as u8 | 0x80, (stored.len() / 128) as u8]);
            batch.extend_from_slice(&stored);
            let mut log = Vec::new();
            let (head, tail) = batch.split_at(batch.len() / 2);
            wal::push_fragment(&mut log, 1, &batch);
            wal::push_fragment(&mut log, 2, head);
            wal::push_fragment(&mut log, 4, tail);
            seeds.push(("wal", log));
            seeds.push(("wal_batch", batch));
        }
        seeds.push(("segment", stored));
    }
    seeds.push((
        "snapshot",
        snapshot::encode(&crate::snapshot::Snapshot {
            version: Version::new(4),
            offset: Offset::new(4),
            fingerprint: 3,
            codec: Codec::Bincode,
            newest_command: Some(id),
            time: Timestamp::from_micros(2),
            payload: b"a state".to_vec(),
        }),
    ));
    let indexed = meta::Indexed {
        offset: Offset::new(4),
        hash: 5,
    };
    seeds.push(("meta", indexed.encode()));
    seeds.push(("meta", meta::encode_format(meta::DERIVED_FORMAT)));
    seeds.push(("key", keys::log(ShardId::new(3), Offset::new(9)).to_vec()));
    #[cfg(any(fuzzing, feature = "rocksdb"))]
    {
        seeds.push(("watermark", crate::watermark::a_slot()));
        // cut, and its payload looks like a whole record
        let mut inner = Vec::new();
        wal::push_fragment(&mut inner, 1, b"a record inside a record");
        let mut torn = vec![0; segment::HEADER_BYTES];
        torn.extend_from_slice(&inner);
        torn.extend_from_slice(&[0; 40]);
        segment::seal(&mut torn, &header);
        let key = keys::log(ShardId::FIRST, Offset::new(1));
        let len = u8::try_from(torn.len()).expect("short");
        let batch = [&[0; 8], &[1, 0, 0, 0, 1, 10][..], &key, &[len | 0x80, 1], &torn].concat();
        let mut log = Vec::new();
        wal::push_fragment(&mut log, 1, &batch);
        log.truncate(log.len() - 20);
        assert!(wal_batch::declared_bytes(&log[7..]).is_some());
        seeds.push(("wal", log));
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What fuzzing found, and what it begins with, through the same doors on every test run.
    #[test]
    fn kept_inputs_hold() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for (name, door) in DOORS {
            let kept = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut many = 0;
            for file in kept {
                let path = file.unwrap().path();
                eprintln!("{}", path.display());
                door(&std::fs::read(path).unwrap());
                many += 1;
            }
            assert!(many > 0, "{name} has a corpus");
        }
    }

    /// The corpus begins with what the store writes today.
    #[test]
    fn seeds_hold_and_are_kept() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for (number, (name, bytes)) in seeds().into_iter().enumerate() {
            let (_, door) = DOORS.iter().find(|(door, _)| *door == name).unwrap();
            door(&bytes);
            let path = corpus.join(name).join(format!("seed-{number}"));
            if std::env::var_os("UPDATE_SEEDS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &bytes).unwrap();
            }
        }
    }
}
