//! Reading rows in order.

use rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions};

use super::sequential;
use crate::engine::{LogRow, Start, Visit};

/// The default family's rows from the last one at or before `from` that shares its first two bytes (its shard), or
/// else from the first one after it.
pub(crate) fn from_at_or_before(db: &DB, from: &[u8], visit: Visit<'_>) -> Result<(), rocksdb::Error> {
    let mut options = sequential();
    options.set_iterate_lower_bound(shard(from));
    let mut rows = db.raw_iterator_opt(options);
    // A reader goes on where it ended, so `from` is most often a row's own key; reading backwards costs more.
    rows.seek(from);
    if rows.key() != Some(from) {
        rows.status()?;
        rows.seek_for_prev(from);
        if !rows.valid() {
            rows.status()?;
            rows.seek(from);
        }
    }
    visit_rest(&mut rows, visit)
}

/// The part of a log key that a log's keys share.
fn shard(key: &[u8]) -> &[u8] {
    key.get(..2).unwrap_or(key)
}

/// The default family's last row at or before `key` that shares the key's first two bytes (its shard).
pub(crate) fn last_at_or_before(db: &DB, key: &[u8]) -> Result<Option<LogRow>, rocksdb::Error> {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_iterate_lower_bound(shard(key));
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

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn a_scan_begins_with_the_row_before_in_its_shard() {
        let directory = tempfile::tempdir().unwrap();
        let db = DB::open_default(directory.path()).unwrap();
        for key in [[0, 0, 5], [0, 1, 3], [0, 1, 6], [0, 2, 1]] {
            db.put(key, []).unwrap();
        }
        let first = |from: [u8; 3]| {
            let mut first = None;
            from_at_or_before(&db, &from, &mut |key, _| {
                first = Some(key.to_vec());
                ControlFlow::Break(())
            })
            .unwrap();
            first
        };
        for (from, found) in [
            ([0, 1, 0], Some([0, 1, 3])),
            ([0, 1, 3], Some([0, 1, 3])),
            ([0, 1, 5], Some([0, 1, 3])),
            ([0, 1, 9], Some([0, 1, 6])),
            ([0, 3, 0], None),
        ] {
            assert_eq!(first(from), found.map(Vec::from), "from {from:?}");
        }
    }
}
