//! Every key that is stored, in one registry. Numbers in keys are big-endian, so that keys sort as they count;
//! types and ids hold no control characters, so a zero byte separates them and keeps ids in order.
//!
//! | family | key |
//! |---|---|
//! | log | shard `u16`, first offset `u64` |
//! | `streams` | shard `u16`, type, `00`, id, `00`, first version `u64` |
//! | `commands` | command id (16), shard `u16`, type, `00`, id |
//! | `snapshots` | shard `u16`, type, `00`, id, `00` |
//! | `meta` | `format`; `indexed/` and the shard `u16`; `store` |
//! | `timers`, `checkpoints` | reserved |

use dormouse_domain::{AggregateId, AggregateType, CommandId, Offset, ShardId, StreamId, Version};

/// Bytes of a log key.
pub(crate) const LOG_KEY_BYTES: usize = 10;

/// `meta`: the format of what is derived.
pub(crate) const META_FORMAT: &[u8] = b"format";

/// `meta`: the id of the store whose log everything here was derived from, 16 bytes.
#[cfg(feature = "rocksdb")]
pub(crate) const META_STORE: &[u8] = b"store";

/// A log row's key.
pub(crate) fn log(shard: ShardId, first: Offset) -> [u8; LOG_KEY_BYTES] {
    let mut key = [0; LOG_KEY_BYTES];
    key[..2].copy_from_slice(&shard.get().to_be_bytes());
    key[2..].copy_from_slice(&first.get().to_be_bytes());
    key
}

/// The parts of a log key; `None` if it isn't one.
pub(crate) fn parse_log(key: &[u8]) -> Option<(ShardId, Offset)> {
    let key: &[u8; LOG_KEY_BYTES] = key.try_into().ok()?;
    let (shard, first) = key.split_first_chunk::<2>()?;
    let first: [u8; 8] = first.try_into().ok()?;
    Some((
        ShardId::new(u16::from_be_bytes(*shard)),
        Offset::new(u64::from_be_bytes(first)),
    ))
}

/// What all `streams` keys of a stream begin with; also its `snapshots` key.
pub(crate) fn stream_prefix(shard: ShardId, stream: &StreamId) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + 64 + 1 + 64 + 1 + 8);
    push_stream_prefix(
        &mut key,
        shard,
        stream.aggregate_type.as_str().as_bytes(),
        stream.id.as_str().as_bytes(),
    );
    key
}

/// What all `streams` keys of a type begin with.
pub(crate) fn type_prefix(shard: ShardId, aggregate_type: &AggregateType) -> Vec<u8> {
    let mut key = shard.get().to_be_bytes().to_vec();
    key.extend_from_slice(aggregate_type.as_str().as_bytes());
    key.push(0);
    key
}

/// After every `streams` key of this stream, and before those of the next: no id holds a control character.
pub(crate) fn after_stream(type_prefix: &[u8], id: &AggregateId) -> Vec<u8> {
    [type_prefix, id.as_str().as_bytes(), &[1]].concat()
}

/// The id in a `streams` key that begins with this; `None` if it isn't one.
pub(crate) fn id_of_stream_row(type_prefix: &[u8], key: &[u8]) -> Option<AggregateId> {
    let (id, [0, _version @ ..]) = key.strip_prefix(type_prefix)?.split_last_chunk::<9>()? else {
        return None;
    };
    AggregateId::try_from(std::str::from_utf8(id).ok()?).ok()
}

/// Whether all `streams` keys that begin with this are of one stream: what the prefix filters are of.
#[cfg(feature = "rocksdb")]
pub(crate) fn is_stream_prefix(prefix: &[u8]) -> bool {
    let names = prefix.get(2..).unwrap_or_default();
    names.ends_with(&[0]) && names.iter().filter(|byte| **byte == 0).count() == 2
}

/// The `streams` key of the row that begins with `version`.
pub(crate) fn stream_row(shard: ShardId, stream: &StreamId, version: Version) -> Vec<u8> {
    let mut key = stream_prefix(shard, stream);
    key.extend_from_slice(&version.get().to_be_bytes());
    key
}

/// Appends a `streams` key given by its parts.
pub(crate) fn push_stream_row(
    key: &mut Vec<u8>,
    shard: ShardId,
    aggregate_type: &[u8],
    id: &[u8],
    version: Version,
) {
    push_stream_prefix(key, shard, aggregate_type, id);
    key.extend_from_slice(&version.get().to_be_bytes());
}

fn push_stream_prefix(key: &mut Vec<u8>, shard: ShardId, aggregate_type: &[u8], id: &[u8]) {
    key.extend_from_slice(&shard.get().to_be_bytes());
    key.extend_from_slice(aggregate_type);
    key.push(0);
    key.extend_from_slice(id);
    key.push(0);
}

/// The `snapshots` key of a stream.
pub(crate) fn snapshot(shard: ShardId, stream: &StreamId) -> Vec<u8> {
    stream_prefix(shard, stream)
}

/// The `commands` key of a command in a stream.
pub(crate) fn command(command: CommandId, shard: ShardId, stream: &StreamId) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 + 2 + 64 + 1 + 64);
    push_command(
        &mut key,
        command.as_u128(),
        shard,
        stream.aggregate_type.as_str().as_bytes(),
        stream.id.as_str().as_bytes(),
    );
    key
}

/// Appends a `commands` key given by its parts.
pub(crate) fn push_command(
    key: &mut Vec<u8>,
    command: u128,
    shard: ShardId,
    aggregate_type: &[u8],
    id: &[u8],
) {
    key.extend_from_slice(&command.to_be_bytes());
    key.extend_from_slice(&shard.get().to_be_bytes());
    key.extend_from_slice(aggregate_type);
    key.push(0);
    key.extend_from_slice(id);
}

/// `meta`: how far a shard's log is indexed.
pub(crate) fn meta_indexed(shard: ShardId) -> Vec<u8> {
    let mut key = b"indexed/".to_vec();
    key.extend_from_slice(&shard.get().to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(aggregate_type: &'static str, id: &str) -> StreamId {
        StreamId::new(AggregateType::from_static(aggregate_type), id.try_into().unwrap())
    }

    #[test]
    fn a_log_key_is_read_back() {
        let key = log(ShardId::new(0x0102), Offset::new(0x0304));
        assert_eq!(key, [1, 2, 0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(parse_log(&key), Some((ShardId::new(0x0102), Offset::new(0x0304))));
        assert_eq!(parse_log(&key[1..]), None);
    }

    #[test]
    fn rows_of_a_stream_stand_together_in_order() {
        let shard = ShardId::new(0);
        let mut keys = Vec::new();
        for (aggregate_type, id) in [
            ("a", "b"),
            ("a", "b!"),
            ("a", "ba"),
            ("a!", "b"),
            ("ab", "a"),
            ("b", "ä"),
        ] {
            for version in [1, 2, 255, 256, u64::MAX] {
                let stream = stream(aggregate_type, id);
                let key = stream_row(shard, &stream, Version::new(version));
                let of_type = type_prefix(shard, &stream.aggregate_type);
                assert_eq!(id_of_stream_row(&of_type, &key), Some(stream.id.clone()));
                assert!(key < after_stream(&of_type, &stream.id));
                assert!(key.starts_with(&stream_prefix(shard, &stream)));
                keys.push(key);
            }
        }
        assert!(keys.is_sorted());
    }

    #[test]
    fn names_are_told_apart() {
        let command = CommandId::now();
        let shard = ShardId::new(0);
        assert_ne!(
            self::command(command, shard, &stream("a", "bc")),
            self::command(command, shard, &stream("ab", "c"))
        );
        assert_ne!(
            snapshot(shard, &stream("a", "bc")),
            snapshot(shard, &stream("ab", "c"))
        );
    }
}
