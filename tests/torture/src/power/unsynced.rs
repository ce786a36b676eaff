//! What was written and not synced when the power went: a real cut may leave any of its pages.
//!
//! Nothing need be known of the files' formats. The child is dead, and its files are read while the page cache still
//! has all that it wrote; then comes the cut. Whatever differs on the disk after it was not synced. Of those pages
//! random ones are written as they were meant to be; the others stay as the disk has them: as they were before, or
//! zero beyond the file's end.
//!
//! A file whose name the disk does not know stays unknown: names are journaled in order.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::random::Random;

const PAGE_BYTES: usize = 4096;
/// Of ten pages of a file, so many are lost: half, most, few.
const LOST_OF_TEN: [u64; 3] = [5, 9, 1];

/// All that a process had written into the files of a store, by their paths in it.
#[derive(Debug)]
pub(crate) struct Written {
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// What became of the pages that were not synced.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) kept: u64,
    pub(crate) lost: u64,
    /// Where the last page that was kept ends.
    kept_up_to: usize,
}

impl Written {
    /// Reads them.
    pub(crate) fn read(store: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_below(store, store, &mut files)?;
        Ok(Self { files })
    }

    /// Puts random pages back that the disk does not have, into the store or a copy of it; says what became of them, by
    /// file.
    pub(crate) fn tear(&self, store: &Path, random: &mut Random) -> Result<Vec<(&Path, Pages)>> {
        let mut torn = Vec::new();
        for (name, written) in &self.files {
            let path = store.join(name);
            let Ok(on_disk) = fs::read(&path) else { continue };
            let lost = LOST_OF_TEN[random.below(LOST_OF_TEN.len() as u64) as usize];
            let (mut left, pages) = torn_file(&on_disk, written, || random.below(10) < lost);
            if random.below(2) == 0 {
                // the file's new length is lost with its last pages
                left.truncate(on_disk.len().max(pages.kept_up_to));
            }
            if pages.kept + pages.lost == 0 {
                continue;
            }
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(&left, 0)?;
            file.sync_all()?;
            torn.push((name.as_path(), pages));
        }
        Ok(torn)
    }
}

/// The file as the cut leaves it: `on_disk`, and the pages of `written` that are not lost.
fn torn_file(on_disk: &[u8], written: &[u8], mut is_lost: impl FnMut() -> bool) -> (Vec<u8>, Pages) {
    let mut left = on_disk.to_vec();
    // a file that was cut shorter keeps its old length
    left.resize(on_disk.len().max(written.len()), 0);
    let mut pages = Pages::default();
    let new_pages = written.chunks(PAGE_BYTES);
    for (number, (left, written)) in left.chunks_mut(PAGE_BYTES).zip(new_pages).enumerate() {
        let left = &mut left[..written.len()];
        if left == written {
            continue;
        }
        if is_lost() {
            pages.lost += 1;
        } else {
            left.copy_from_slice(written);
            pages.kept += 1;
            pages.kept_up_to = number * PAGE_BYTES + written.len();
        }
    }
    (left, pages)
}

fn read_below(store: &Path, directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_below(store, &path, files)?;
        } else {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            files.push((path.strip_prefix(store)?.to_path_buf(), bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_of_the_rest_pages_do() {
        let written: Vec<u8> = (0..5 * PAGE_BYTES + 100).map(|byte| byte as u8 | 1).collect();
        let synced = PAGE_BYTES + 10;
        let mut turn = 0;
        let every_other = || {
            turn += 1;
            turn % 2 == 1
        };
        let (left, pages) = torn_file(&written[..synced], &written, every_other);
        assert_eq!((pages.kept, pages.lost, pages.kept_up_to), (2, 3, 5 * PAGE_BYTES));
        assert_eq!(left.len(), written.len());
        assert_eq!(left[..synced], written[..synced]);
        assert!(left[synced..2 * PAGE_BYTES].iter().all(|byte| *byte == 0));
        assert_eq!(
            left[2 * PAGE_BYTES..3 * PAGE_BYTES],
            written[2 * PAGE_BYTES..3 * PAGE_BYTES]
        );
        assert!(left[5 * PAGE_BYTES..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_page_written_anew_is_old_or_new() {
        let (old, new) = (vec![1; PAGE_BYTES], vec![2; PAGE_BYTES]);
        assert_eq!(torn_file(&old, &new, || true).0, old);
        assert_eq!(torn_file(&old, &new, || false).0, new);
        assert_eq!(torn_file(&old, &old, || unreachable!()).1, Pages::default());
    }
}
