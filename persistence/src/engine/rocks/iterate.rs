//! Reading rows in order.

use rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions};

use super::sequential;
use crate::engine::{LogRow, Start, Visit};

/// All rows of the default family from `from` on.
pub(crate) fn forward(db: &DB, from: &[u8], visit: Visit<'_>) -> Result<(), rocksdb::Error> {
    let mut rows = db.raw_iterator_opt(sequential());
    rows.seek(from);
    visit_rest(&mut rows, visit)
}

/// The default family's last row at or before `key` that shares the key's first two bytes (its shard).
pub(crate) fn last_at_or_before(db: &DB, key: &[u8]) -> Result<Option<LogRow>, rocksdb::Error> {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_iterate_lower_bound(key.get(..2).unwrap_or(key));
    let mut rows = db.raw_iterator_opt(options);
    rows.seek_for_prev(key);
    match rows.item() {
        Some((key, value)) => Ok(Some((key.to_vec(), value.to_vec()))),
        None => rows.status().map(|()| None),
    }
}

/// The rows of `family` whose keys begin with `prefix`, from `start` on. `is_whole`: the prefix is what the family's
/// prefix extractor takes from the start's key, so that its filter may be asked.
pub(crate) fn within(
    db: &DB,
    family: &ColumnFamily,
    prefix: &[u8],
    start: Start<'_>,
    is_whole: bool,
    visit: Visit<'_>,
) -> Result<(), rocksdb::Error> {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(prefix);
    if let Some(end) = successor(prefix) {
        options.set_iterate_upper_bound(end);
    }
    options.set_prefix_same_as_start(is_whole);
    options.set_total_order_seek(!is_whole);
    let mut rows = db.raw_iterator_cf_opt(family, options);
    match start {
        Start::AtOrAfter(from) => rows.seek(from),
        Start::AtOrBefore(from) => {
            rows.seek_for_prev(from);
            if !rows.valid() {
                rows.status()?;
                rows.seek(from);
            }
        }
    }
    visit_rest(&mut rows, visit)
}

fn visit_rest(rows: &mut DBRawIterator<'_>, visit: Visit<'_>) -> Result<(), rocksdb::Error> {
    while let Some((key, value)) = rows.item() {
        if visit(key, value).is_break() {
            return Ok(());
        }
        rows.next();
    }
    rows.status()
}

/// The first key after all keys that begin with `prefix`; none if it is all `0xff`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}
