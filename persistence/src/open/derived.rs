//! Opens `derived/`, or makes it anew where it can't be trusted.
//!
//! Nothing in it is unique: it is a fold of the log. So damage that RocksDB reports, another store's files, and a
//! family that is missing all lead to the same repair, with a warning: delete it, and let the store index the
//! log from its beginning. The one thing that is *not* repaired like that is an indexed position ahead of the
//! log, in this store's own files: it is evidence that the log lost its end, and refusing keeps it.

use std::fs::File;
use std::io;

use dormouse_domain::{Offset, ShardId};
use rocksdb::{DB, ErrorKind, FlushOptions};
use uuid::Uuid;

use super::layout::{Layout, remove_directory, remove_file, sync_directory};
use crate::engine::Family;
use crate::engine::rocks::tuning::{Shared, without_wal};
use crate::engine::rocks::{failed, handle};
use crate::error::StoreError;
use crate::format::keys;
use crate::format::meta::Indexed;

/// Opens `derived/` of the store with the id `store`. Says how far it is indexed.
///
/// # Errors
/// An engine error where RocksDB failed for a reason that is not in the files: no space, no descriptors.
pub(crate) fn open(
    layout: &Layout,
    store: Uuid,
    shard: ShardId,
    shared: &Shared,
) -> Result<(DB, Offset), StoreError> {
    let distrust = match try_open(layout, store, shard, shared)? {
        Ok(opened) => return Ok(opened),
        Err(distrust) => distrust,
    };
    tracing::warn!(
        path = %layout.derived().display(), reason = %distrust,
        "what is derived from the log can't be used; it is deleted and built again from the log"
    );
    make(layout, store, shared).map(|db| (db, Offset::NONE))
}

/// Deletes what is there and makes an empty `derived/`, durable on return.
pub(crate) fn make(layout: &Layout, store: Uuid, shared: &Shared) -> Result<DB, StoreError> {
    let renewing = |error: io::Error| StoreError::Engine {
        context: format!("make {} anew", layout.derived().display()),
        reason: error.to_string().into(),
    };
    // The mark goes first and comes off last: a deletion that a crash cut short is begun again.
    File::create(layout.rebuild_marker())
        .and_then(|mark| mark.sync_all())
        .map_err(renewing)?;
    sync_directory(layout.root()).map_err(renewing)?;
    remove_directory(&layout.derived()).map_err(renewing)?;
    let db = open_rocks(layout, shared).map_err(|error| failed("make the derived instance", &error))?;
    db.put_cf_opt(
        handle(&db, Family::Meta),
        keys::META_STORE,
        store.as_bytes(),
        &without_wal(),
    )
    .and_then(|()| db.flush_cfs_opt(&[handle(&db, Family::Meta)], &FlushOptions::default()))
    .map_err(|error| failed("store the derived instance's id", &error))?;
    remove_file(&layout.rebuild_marker()).map_err(renewing)?;
    sync_directory(layout.root()).map_err(renewing)?;
    Ok(db)
}

/// The inner error says why it can't be trusted.
fn try_open(
    layout: &Layout,
    store: Uuid,
    shard: ShardId,
    shared: &Shared,
) -> Result<Result<(DB, Offset), String>, StoreError> {
    if layout.rebuild_marker().exists() {
        return Ok(Err("damage was found in it earlier".into()));
    }
    // RocksDB would take the remains for an empty directory and make a new instance among them.
    if !layout.derived().join("CURRENT").exists() {
        return Ok(Err("it is missing, or its CURRENT file is".into()));
    }
    let read = open_rocks(layout, shared).and_then(|db| {
        let owner = db.get_cf(handle(&db, Family::Meta), keys::META_STORE)?;
        let indexed = db.get_cf(handle(&db, Family::Meta), keys::meta_indexed(shard))?;
        Ok((db, owner, indexed))
    });
    let (db, owner, indexed) = match read {
        Ok(read) => read,
        Err(error) if lies_in_the_files(&error) => return Ok(Err(error.to_string())),
        Err(error) => return Err(failed("open the derived instance", &error).into()),
    };
    if owner.as_deref() != Some(store.as_bytes()) {
        return Ok(Err("it was derived from another store's log".into()));
    }
    match indexed.map(|value| Indexed::decode(&value)).transpose() {
        Ok(indexed) => Ok(Ok((db, indexed.map_or(Offset::NONE, |indexed| indexed.offset)))),
        Err(reason) => Ok(Err(reason.to_string())),
    }
}

fn open_rocks(layout: &Layout, shared: &Shared) -> Result<DB, rocksdb::Error> {
    let (options, families) = shared.derived_with_families()?;
    DB::open_cf_descriptors(&options, layout.derived(), families)
}

/// Whether deleting the files would cure it.
fn lies_in_the_files(error: &rocksdb::Error) -> bool {
    match error.kind() {
        ErrorKind::Corruption
        | ErrorKind::InvalidArgument
        | ErrorKind::NotFound
        | ErrorKind::NotSupported => true,
        ErrorKind::IOError => error.to_string().contains("No such file"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rocksdb::IteratorMode;

    use super::*;
    use crate::engine::rocks::write_run;
    use crate::engine::{Rows, Run};
    use crate::open::layout::Layout;

    const STORE: Uuid = Uuid::from_u128(5);
    const ROWS_A_RUN: u64 = 50;

    /// A run whose rows are numbered, so that as many are there as the position says.
    fn run(number: u64) -> Run {
        let (mut streams, mut commands) = (Rows::default(), Rows::default());
        for row in number * ROWS_A_RUN..(number + 1) * ROWS_A_RUN {
            let number = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&row.to_be_bytes());
            let key = |bytes: &mut Vec<u8>| {
                bytes.extend_from_slice(b"\0\0type\0id\0");
                number(bytes);
            };
            streams.push(key, |value| value.extend_from_slice(&[7; 300]));
            commands.push(number, number);
        }
        let indexed = Indexed {
            offset: Offset::new((number + 1) * ROWS_A_RUN),
            hash: 1,
        };
        Run {
            streams,
            commands,
            indexed: (keys::meta_indexed(ShardId::FIRST), indexed.encode()),
        }
    }

    fn shared() -> Shared {
        Shared::new(1024 * 1024).unwrap()
    }

    /// What the disk holds at this moment, without what is in memory: a crash.
    fn crashed(root: &Path) -> (tempfile::TempDir, Layout) {
        let copy = tempfile::tempdir().unwrap();
        let (layout, _lock, _) = Layout::claim(copy.path()).unwrap();
        std::fs::create_dir(layout.derived()).unwrap();
        for entry in std::fs::read_dir(root.join("derived")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), layout.derived().join(entry.file_name())).unwrap();
        }
        (copy, layout)
    }

    fn wait_for_flushes(db: &DB) {
        for family in Family::ALL {
            for name in [
                "rocksdb.num-immutable-mem-table",
                "rocksdb.mem-table-flush-pending",
            ] {
                while db.property_int_value_cf(handle(db, family), name).unwrap() != Some(0) {
                    std::thread::yield_now();
                }
            }
        }
    }

    #[test]
    fn whichever_family_fills_first_a_crash_keeps_rows_and_position_together() {
        for full in [Family::Meta, Family::Commands, Family::Streams] {
            let directory = tempfile::tempdir().unwrap();
            let (layout, _lock, _) = Layout::claim(directory.path()).unwrap();
            let db = make(&layout, STORE, &shared()).unwrap();
            for family in Family::ALL {
                let bytes = if family == full { "1024" } else { "67108864" };
                let options = [("write_buffer_size", bytes), ("disable_auto_compactions", "true")];
                db.set_options_cf(handle(&db, family), &options).unwrap();
            }
            let mut reached = Offset::NONE;
            for number in 0..40 {
                write_run(&db, &run(number), &without_wal()).unwrap();
                wait_for_flushes(&db);
                if number % 10 != 9 {
                    continue;
                }
                let (_copy, layout) = crashed(directory.path());
                let (survivor, indexed) = open(&layout, STORE, ShardId::FIRST, &shared()).unwrap();
                for family in [Family::Streams, Family::Commands] {
                    let rows = survivor
                        .iterator_cf(handle(&survivor, family), IteratorMode::Start)
                        .count();
                    assert_eq!(
                        rows as u64,
                        indexed.get(),
                        "{full:?} was flushed, {family:?} has other rows"
                    );
                }
                assert!(indexed >= reached);
                reached = indexed;
            }
            assert!(reached > Offset::NONE, "{full:?}: nothing was flushed");
        }
    }
}
