//! Files that are missing, that are another store's, or that the system can't read.

use std::fs;

use dormouse_persistence::{Store, StoreError};

use super::{END, Left, files, newest_wal, open, refused, replace, written};
use crate::suite::{Place, indexes_never, indexes_soon};

#[test]
fn a_missing_wal_is_refused() {
    for left in [Left::Crashed, Left::Closed] {
        let directory = written(left, indexes_never());
        fs::remove_file(newest_wal(&directory)).unwrap();
        let error = refused(&directory);
        let StoreError::LogDamaged {
            reason,
            lost_from,
            lost_to,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert!(reason.contains("missing"), "{error}");
        assert_eq!(lost_from.get(), 1);
        assert_eq!(
            lost_to.map(dormouse_domain::Offset::get),
            (left == Left::Closed).then_some(END)
        );
    }
}

#[test]
fn a_log_without_its_manifest_or_a_table_is_refused() {
    for name in ["CURRENT", "MANIFEST", "sst"] {
        let directory = written(Left::Closed, indexes_never());
        // The next opening moves the WAL into a table.
        directory.open(indexes_never()).unwrap().close().unwrap();
        let hit = files(&directory.path().join("log"))
            .into_iter()
            .find(|path| path.file_name().unwrap().to_str().unwrap().contains(name))
            .unwrap();
        fs::remove_file(&hit).unwrap();
        let error = refused(&directory);
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::Engine { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_directory_without_its_format_is_not_taken_for_an_empty_one() {
    let directory = written(Left::Closed, indexes_never());
    fs::remove_file(directory.path().join("FORMAT")).unwrap();
    let error = refused(&directory);
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[test]
fn another_stores_log_is_refused() {
    let (directory, other) = (
        written(Left::Closed, indexes_never()),
        written(Left::Closed, indexes_never()),
    );
    replace(&directory, &other, "log");
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

/// A link to itself can't be looked through: the system fails, and says nothing of what is in the file. It used to be
/// called damage, with the advice to restore, or made the opening delete what is derived.
#[test]
fn a_file_that_the_system_cannot_read_is_not_called_damaged_or_missing() {
    let directory = written(Left::Closed, indexes_soon());
    let mut before = open(&directory).unwrap().len();
    for name in ["FORMAT", "log/CURRENT", "derived/CURRENT", "REBUILD", "watermark"] {
        let path = directory.path().join(name);
        let aside = directory.path().join("aside");
        if path.exists() {
            std::fs::rename(&path, &aside).unwrap();
        }
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = Store::open(directory.path()).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Engine { .. }), "{name}: {error}");
        std::fs::remove_file(&path).unwrap();
        if aside.exists() {
            std::fs::rename(&aside, &path).unwrap();
        }
        let now = open(&directory).unwrap().len();
        assert_eq!(now, before + 2, "{name}");
        before = now;
    }
}
