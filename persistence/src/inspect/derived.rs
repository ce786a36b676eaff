//! Reads `derived/`, which need not be sound, without changing it.

use std::path::Path;

use dormouse_domain::{Offset, ShardId};
use rocksdb::DB;
use uuid::Uuid;

use crate::engine::Family;
use crate::engine::rocks::tuning::Shared;
use crate::engine::rocks::{handle, sequential};
use crate::format::keys;
use crate::format::meta::Indexed;
use crate::format::record::Known;
use crate::format::rows;
use crate::open::endless;
use crate::stored::StoredCommit;

/// Called with a row's key and value.
type VisitRow<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> Result<(), String>;

/// What is derived from a store's log.
pub(crate) struct Derived {
    db: DB,
    shard: ShardId,
    /// How far the log is indexed.
    pub(crate) indexed: Indexed,
}

impl Derived {
    /// Opens it; the error says why the store would build it again.
    pub(crate) fn open(
        root: &Path,
        store: Option<Uuid>,
        shard: ShardId,
        shared: &Shared,
    ) -> Result<Self, String> {
        if root.join("REBUILD").exists() {
            return Err("damage was found in it earlier".into());
        }
        if let Some(reason) = endless::find(&root.join("derived")) {
            return Err(reason);
        }
        let read = |error: rocksdb::Error| error.to_string();
        let (mut options, families) = shared.derived_with_families().map_err(read)?;
        options.create_if_missing(false);
        options.create_missing_column_families(false);
        let db = DB::open_cf_descriptors_read_only(&options, root.join("derived"), families, false)
            .map_err(read)?;
        let meta = handle(&db, Family::Meta);
        let of = db.get_cf(meta, keys::META_STORE).map_err(read)?;
        if store.is_some_and(|store| of.as_deref() != Some(&store.as_bytes()[..])) {
            return Err("it was derived from another store's log".into());
        }
        let indexed = db.get_cf(meta, keys::meta_indexed(shard)).map_err(read)?;
        let indexed = indexed.map(|value| Indexed::decode(&value)).transpose();
        let indexed = indexed
            .map_err(|error| error.to_string())?
            .unwrap_or(Indexed::NONE);
        Ok(Self { db, shard, indexed })
    }

    /// Visits the rows of a family in the order of their keys.
    pub(crate) fn rows(&self, family: Family, visit: VisitRow<'_>) -> Result<(), String> {
        let mut options = sequential();
        options.set_total_order_seek(true);
        let mut rows = self.db.raw_iterator_cf_opt(handle(&self.db, family), options);
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            visit(key, value)?;
            rows.next();
        }
        rows.status().map_err(|error| error.to_string())
    }

    /// Visits the commits of all streams, each stream's in order, each commit once. What is indexed beyond
    /// `indexed` is among them.
    pub(crate) fn commits(&self, visit: &mut dyn FnMut(&StoredCommit<'_>)) -> Result<(), String> {
        let mut stream: Vec<u8> = Vec::new();
        let mut seen = Offset::NONE;
        self.rows(Family::Streams, &mut |key, row| {
            let prefix = &key[..key.len().saturating_sub(8)];
            if prefix != stream {
                stream.clear();
                stream.extend_from_slice(prefix);
                seen = Offset::NONE;
            }
            for entry in rows::entries(row, Known::default()) {
                let entry = entry.map_err(|error| format!("a stream's row: {error}"))?;
                let commit = StoredCommit::new(entry.record, self.shard, entry.first, entry.time);
                // Rows may repeat commits of the rows before.
                if commit.first_offset() > seen {
                    seen = commit.last_offset();
                    visit(&commit);
                }
            }
            Ok(())
        })
    }
}
