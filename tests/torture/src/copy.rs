//! Copies of a store that nobody has open, to be kept if it turns out to be broken.

use std::path::Path;

use anyhow::{Context, Result};

/// Copies a store that a child left, in place of an earlier copy. Its tables, which RocksDB never changes, are the same
/// files under second names; what it has thrown away is left out. Nothing is copied where there is no store.
pub(crate) fn as_left(store: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to).context("remove an earlier copy")?;
    }
    if store.exists() {
        below(store, to).with_context(|| format!("copy {}", store.display()))?;
    }
    Ok(())
}

/// Files that are about to be freed; no opening reads them.
const TRASH: &str = "trash";

fn below(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, from) = {
            let entry = entry?;
            (entry.file_type()?, entry.path())
        };
        let to = to.join(from.file_name().context("an entry has a name")?);
        if from.ends_with(TRASH) {
            continue;
        }
        if entry.is_dir() {
            below(&from, &to)?;
        } else if !(is_table(&from) && std::fs::hard_link(&from, &to).is_ok()) {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// One that is done: those of `runs/` are in the making.
fn is_table(path: &Path) -> bool {
    let in_runs = path.parent().is_some_and(|parent| parent.ends_with("runs"));
    path.extension().is_some_and(|extension| extension == "sst") && !in_runs
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_copy_stays_as_it_is_when_the_store_goes_on() {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let (store, copy) = (place.path().join("store"), place.path().join("as-left"));
        fs::create_dir_all(store.join("derived/runs")).expect("made");
        let files = ["log.log", "derived/000007.sst", "derived/runs/streams.sst"];
        for file in files {
            fs::write(store.join(file), "as it was left").expect("written");
        }
        for _ in 0..2 {
            as_left(&store, &copy).expect("it can be copied, also twice");
        }
        fs::write(store.join("log.log"), "recovered").expect("written");
        fs::write(store.join("derived/runs/streams.sst"), "made anew").expect("written");
        fs::remove_file(store.join("derived/000007.sst")).expect("removed");
        for file in files {
            let kept = fs::read_to_string(copy.join(file)).expect("it is kept");
            assert_eq!(kept, "as it was left", "{file}");
        }
    }
}
