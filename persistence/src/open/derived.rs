//! Opens `derived/`, or makes it anew where it can't be trusted.
//!
//! Nothing in it is unique: it is a fold of the log. So damage that RocksDB reports, another store's files, and a
//! family that is missing all lead to the same repair, with a warning: delete it, and let the store index the
//! log from its beginning. The one thing that is *not* repaired like that is an indexed position ahead of the
//! log, in this store's own files: it is evidence that the log lost its end, and refusing keeps it.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use dormouse_domain::{Offset, ShardId};
use rocksdb::{DB, ErrorKind, FlushOptions, IteratorMode};
use uuid::Uuid;

use super::endless;
use super::layout::{Layout, exists, remove_directory, remove_file, sync_directory};
use crate::engine::Family;
use crate::engine::rocks::tuning::{Shared, without_wal};
use crate::engine::rocks::{failed, handle, ingest};
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
    if exists(&layout.rebuild_marker())? {
        return Ok(Err("damage was found in it earlier".into()));
    }
    // RocksDB would take the remains for an empty directory and make a new instance among them.
    if !exists(&layout.derived().join("CURRENT"))? {
        return Ok(Err("it is missing, or its CURRENT file is".into()));
    }
    if let Some(reason) = endless::find(&layout.derived()) {
        return Ok(Err(reason));
    }
    let cut_short = ingest::cut_short(&layout.derived())?;
    let read = open_rocks(layout, shared).and_then(|db| {
        for (family, file) in &cut_short {
            ingest::hand_over(&db, *family, file)?;
        }
        // All of it: RocksDB looks into a file only when it is read, and what can't be read is healed here.
        let meta: HashMap<Box<[u8]>, Box<[u8]>> = db
            .iterator_cf(handle(&db, Family::Meta), IteratorMode::Start)
            .collect::<Result<_, _>>()?;
        Ok((db, meta))
    });
    let (db, meta) = match read {
        Ok(read) => read,
        Err(error) if lies_in_the_files(&error) => return Ok(Err(error.to_string())),
        Err(error) => return Err(failed("open the derived instance", &error).into()),
    };
    if meta.get(keys::META_STORE).map(AsRef::as_ref) != Some(&store.as_bytes()[..]) {
        return Ok(Err("it was derived from another store's log".into()));
    }
    let indexed = meta.get(&keys::meta_indexed(shard)[..]);
    match indexed.map(|value| Indexed::decode(value)).transpose() {
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
mod tests;
