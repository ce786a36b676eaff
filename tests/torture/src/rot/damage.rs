//! What can happen to a store's files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::content::{Stores, copy};
use crate::random::Random;

/// Blocks, pages and sectors are lost whole.
const PAGE_BYTES: u64 = 4096;

/// What a file of a store is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    LogWal,
    LogTable,
    LogManifest,
    LogCurrent,
    LogOptions,
    LogIdentity,
    DerivedTable,
    DerivedManifest,
    DerivedCurrent,
    DerivedOther,
    Watermark,
    Format,
    Lock,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::LogWal,
        Self::LogTable,
        Self::LogManifest,
        Self::LogCurrent,
        Self::LogOptions,
        Self::LogIdentity,
        Self::DerivedTable,
        Self::DerivedManifest,
        Self::DerivedCurrent,
        Self::DerivedOther,
        Self::Watermark,
        Self::Format,
        Self::Lock,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LogWal => "log/ WAL",
            Self::LogTable => "log/ SST",
            Self::LogManifest => "log/ MANIFEST",
            Self::LogCurrent => "log/ CURRENT",
            Self::LogOptions => "log/ OPTIONS",
            Self::LogIdentity => "log/ IDENTITY",
            Self::DerivedTable => "derived/ SST",
            Self::DerivedManifest => "derived/ MANIFEST",
            Self::DerivedCurrent => "derived/ CURRENT",
            Self::DerivedOther => "derived/ others",
            Self::Watermark => "watermark",
            Self::Format => "FORMAT",
            Self::Lock => "LOCK",
        }
    }

    /// Of a path inside a store.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_table = name.ends_with(".sst");
        Some(match path.parent()?.to_str()? {
            "" => match name {
                "watermark" => Self::Watermark,
                "FORMAT" => Self::Format,
                "LOCK" => Self::Lock,
                _ => return None,
            },
            "log" if name.ends_with(".log") => Self::LogWal,
            "log" if is_table => Self::LogTable,
            "log" if name.starts_with("MANIFEST") => Self::LogManifest,
            "log" if name == "CURRENT" => Self::LogCurrent,
            "log" if name.starts_with("OPTIONS") => Self::LogOptions,
            "log" if name == "IDENTITY" => Self::LogIdentity,
            "derived" if is_table => Self::DerivedTable,
            "derived" if name.starts_with("MANIFEST") => Self::DerivedManifest,
            "derived" if name == "CURRENT" => Self::DerivedCurrent,
            "derived" => Self::DerivedOther,
            _ => return None,
        })
    }

    pub(crate) fn is_log(self) -> bool {
        matches!(
            self,
            Self::LogWal
                | Self::LogTable
                | Self::LogManifest
                | Self::LogCurrent
                | Self::LogOptions
                | Self::LogIdentity
        )
    }
}

/// The files of a store by kind, as paths inside it.
pub(crate) fn files(store: &Path) -> Result<Vec<(Kind, PathBuf)>> {
    let mut files = Vec::new();
    for directory in ["", "log", "derived"] {
        for entry in fs::read_dir(store.join(directory))? {
            let path = Path::new(directory).join(entry?.file_name());
            if store.join(&path).is_file()
                && let Some(kind) = Kind::of(&path)
            {
                files.push((kind, path));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Flip {
        at: u64,
        bit: u32,
    },
    Overwrite {
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        at: u64,
    },
    Zero {
        at: u64,
        bytes: u64,
    },
    Delete,
    Empty,
    Append {
        bytes: Vec<u8>,
    },
    /// Two ranges of the file change places.
    SwapRanges {
        one: u64,
        other: u64,
        bytes: u64,
    },
    /// It changes places with another one of its kind.
    SwapFiles {
        with: PathBuf,
    },
    /// Another store's file of that kind stands in its place.
    OfOther {
        from: PathBuf,
    },
    /// It is as it was a session earlier.
    OfOlder {
        from: PathBuf,
    },
}

impl Damage {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Flip { .. } => "a bit flipped",
            Self::Overwrite { .. } => "overwritten",
            Self::Cut { .. } => "cut",
            Self::Zero {
                bytes: PAGE_BYTES, ..
            } => "a page zeroed",
            Self::Zero { .. } => "a range zeroed",
            Self::Delete => "deleted",
            Self::Empty => "emptied",
            Self::Append { .. } => "garbage appended",
            Self::SwapRanges { .. } => "two ranges swapped",
            Self::SwapFiles { .. } => "two files swapped",
            Self::OfOther { .. } => "another store's file",
            Self::OfOlder { .. } => "an older file",
        }
    }

    /// Damages `file`; whether that changed anything.
    pub(crate) fn apply(&self, store: &Path, file: &Path) -> Result<bool> {
        let path = store.join(file);
        let before = fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let mut bytes = before.clone();
        match self {
            Self::Delete => {
                fs::remove_file(&path)?;
                return Ok(true);
            }
            Self::SwapFiles { with } => {
                let with = store.join(with);
                let other = fs::read(&with)?;
                fs::write(&with, &before)?;
                fs::write(&path, &other)?;
                return Ok(before != other);
            }
            Self::Flip { at, bit } => bytes[*at as usize] ^= 1 << bit,
            Self::Overwrite { at, bytes: by } => {
                let at = *at as usize;
                let end = (at + by.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&by[..end - at]);
            }
            Self::Cut { at } => bytes.truncate(*at as usize),
            Self::Zero { at, bytes: many } => {
                let end = (at + many).min(bytes.len() as u64);
                bytes[*at as usize..end as usize].fill(0);
            }
            Self::Empty => bytes.clear(),
            Self::Append { bytes: more } => bytes.extend(more),
            Self::SwapRanges {
                one,
                other,
                bytes: many,
            } => {
                for byte in 0..*many {
                    bytes.swap((one + byte) as usize, (other + byte) as usize);
                }
            }
            Self::OfOther { from } | Self::OfOlder { from } => bytes = fs::read(from)?,
        }
        fs::write(&path, &bytes)?;
        Ok(bytes != before)
    }

    /// Any damage to a file of `len` bytes.
    fn draw(random: &mut Random, store: &Path, kind: Kind, file: &Path, stores: &Stores) -> Result<Self> {
        let len = fs::metadata(store.join(file))?.len();
        if len == 0 {
            return Ok(if random.below(2) == 0 {
                Self::Delete
            } else {
                Self::Append {
                    bytes: noise(random, 100),
                }
            });
        }
        let at = random.below(len);
        Ok(match random.below(13) {
            0..=2 => Self::Flip {
                at,
                bit: random.below(8) as u32,
            },
            3 => {
                let many = 1 + random.below(64);
                Self::Overwrite {
                    at,
                    bytes: noise(random, many),
                }
            }
            4 => Self::Cut { at },
            5 => Self::Zero {
                at,
                bytes: 1 + random.below(1_000),
            },
            6 => Self::Zero {
                at: at / PAGE_BYTES * PAGE_BYTES,
                bytes: PAGE_BYTES,
            },
            7 => Self::Delete,
            8 => Self::Empty,
            9 => {
                let many = 1 + random.below(40_000);
                Self::Append {
                    bytes: noise(random, many),
                }
            }
            10 if len >= 2 => {
                let bytes = 1 + random.below((len / 2).min(5_000));
                let one = random.below(len / 2 - bytes + 1);
                Self::SwapRanges {
                    one,
                    other: len / 2 + one,
                    bytes,
                }
            }
            11 => match other_of(random, store, kind, Some(file))? {
                Some(with) => Self::SwapFiles { with },
                None => Self::Delete,
            },
            _ => {
                let (is_older, from) = if random.below(2) == 0 {
                    (true, &stores.older)
                } else {
                    (false, &stores.other)
                };
                match other_of(random, from, kind, None)? {
                    Some(path) if is_older => Self::OfOlder {
                        from: from.join(path),
                    },
                    Some(path) => Self::OfOther {
                        from: from.join(path),
                    },
                    None => Self::Cut { at },
                }
            }
        })
    }
}

/// Any file of a kind, but for one.
fn other_of(random: &mut Random, store: &Path, kind: Kind, but: Option<&Path>) -> Result<Option<PathBuf>> {
    let mut others = files(store)?;
    others.retain(|(of, path)| *of == kind && Some(path.as_path()) != but);
    if others.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        others.swap_remove(random.below(others.len() as u64) as usize).1,
    ))
}

/// A kind of file, one of them, and what happens to it.
pub(crate) fn draw(random: &mut Random, store: &Path, stores: &Stores) -> Result<(Kind, PathBuf, Damage)> {
    let files = files(store)?;
    loop {
        let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
        let of_kind: Vec<_> = files.iter().filter(|(of, _)| *of == kind).collect();
        if !of_kind.is_empty() {
            let file = of_kind[random.below(of_kind.len() as u64) as usize].1.clone();
            let damage = Damage::draw(random, store, kind, &file, stores)?;
            return Ok((kind, file, damage));
        }
    }
}

fn noise(random: &mut Random, bytes: u64) -> Vec<u8> {
    (0..bytes).map(|_| random.next() as u8).collect()
}

/// What happens to more than one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disaster {
    DerivedDeleted,
    /// Each of its files is gone with a chance of a half.
    DerivedPartlyDeleted,
    DerivedOfOther,
    DerivedOfOlder,
    LogDeleted,
    LogOfOther,
    LogOfOlder,
    LogAndDerivedOfOther,
    /// Tables of another store beside its own, under other numbers.
    TablesOfOtherAdded,
    LiveWalMissing,
    OldestWalMissing,
    AnyWalMissing,
    AllWalsMissing,
    FutureFormat,
    FutureSegment,
}

impl Disaster {
    pub(crate) const ALL: [Self; 15] = [
        Self::DerivedDeleted,
        Self::DerivedPartlyDeleted,
        Self::DerivedOfOther,
        Self::DerivedOfOlder,
        Self::LogDeleted,
        Self::LogOfOther,
        Self::LogOfOlder,
        Self::LogAndDerivedOfOther,
        Self::TablesOfOtherAdded,
        Self::LiveWalMissing,
        Self::OldestWalMissing,
        Self::AnyWalMissing,
        Self::AllWalsMissing,
        Self::FutureFormat,
        Self::FutureSegment,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DerivedDeleted => "derived/ deleted",
            Self::DerivedPartlyDeleted => "derived/ partly deleted",
            Self::DerivedOfOther => "derived/ of another store",
            Self::DerivedOfOlder => "an older derived/",
            Self::LogDeleted => "log/ deleted",
            Self::LogOfOther => "log/ of another store",
            Self::LogOfOlder => "an older log/",
            Self::LogAndDerivedOfOther => "log/ and derived/ of another store",
            Self::TablesOfOtherAdded => "tables of another store added",
            Self::LiveWalMissing => "the live WAL missing",
            Self::OldestWalMissing => "the oldest WAL missing",
            Self::AnyWalMissing => "a WAL missing",
            Self::AllWalsMissing => "all WALs missing",
            Self::FutureFormat => "a format of the future",
            Self::FutureSegment => "a segment of the future",
        }
    }

    pub(crate) fn is_of_derived(self) -> bool {
        matches!(
            self,
            Self::DerivedDeleted | Self::DerivedPartlyDeleted | Self::DerivedOfOther | Self::DerivedOfOlder
        )
    }

    pub(crate) fn apply(self, store: &Path, random: &mut Random, stores: &Stores) -> Result<()> {
        let replace = |name: &str, by: &Path| {
            fs::remove_dir_all(store.join(name))?;
            copy(&by.join(name), &store.join(name))
        };
        let wals: Vec<_> = super::wal::files(store)?
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        match self {
            Self::DerivedDeleted => fs::remove_dir_all(store.join("derived"))?,
            Self::LogDeleted => fs::remove_dir_all(store.join("log"))?,
            Self::DerivedPartlyDeleted => {
                for entry in fs::read_dir(store.join("derived"))? {
                    let path = entry?.path();
                    if path.is_file() && random.below(2) == 0 {
                        fs::remove_file(path)?;
                    }
                }
            }
            Self::DerivedOfOther => replace("derived", &stores.other)?,
            Self::DerivedOfOlder => replace("derived", &stores.older)?,
            Self::LogOfOther => replace("log", &stores.other)?,
            Self::LogOfOlder => replace("log", &stores.older)?,
            Self::LogAndDerivedOfOther => {
                replace("log", &stores.other)?;
                replace("derived", &stores.other)?;
            }
            Self::TablesOfOtherAdded => {
                for (kind, path) in files(&stores.other)? {
                    if kind == Kind::LogTable {
                        let name = format!("{:06}.sst", 900_000 + random.below(90_000));
                        fs::copy(stores.other.join(path), store.join("log").join(name))?;
                    }
                }
            }
            Self::LiveWalMissing => fs::remove_file(wals.last().context("a WAL")?)?,
            Self::OldestWalMissing => fs::remove_file(wals.first().context("a WAL")?)?,
            Self::AnyWalMissing => fs::remove_file(&wals[random.below(wals.len() as u64) as usize])?,
            Self::AllWalsMissing => wals.iter().try_for_each(fs::remove_file)?,
            Self::FutureFormat => {
                let path = store.join("FORMAT");
                fs::write(&path, fs::read_to_string(&path)?.replace("format 1", "format 2"))?;
            }
            Self::FutureSegment => future_segment(&store.join("log"))?,
        }
        Ok(())
    }
}

/// Writes the last segment again as a later version might: another format number, and the checksum is right.
fn future_segment(log: &Path) -> Result<()> {
    let mut options = rocksdb::Options::default();
    options.set_num_levels(2);
    options.set_track_and_verify_wals_in_manifest(true);
    let db = rocksdb::DB::open(&options, log)?;
    let last = db
        .iterator(rocksdb::IteratorMode::End)
        .next()
        .context("a segment")??;
    let (key, mut segment) = (last.0, last.1.to_vec());
    segment[4..6].copy_from_slice(&2_u16.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&segment[..12]), &segment[16..]);
    segment[12..16].copy_from_slice(&crc.to_le_bytes());
    let mut synced = rocksdb::WriteOptions::default();
    synced.set_sync(true);
    Ok(db.put_opt(key, segment, &synced)?)
}
