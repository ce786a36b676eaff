//! What is tried: where a copy goes, and what becomes of that place meanwhile.

use crate::ioerr::place::Kind;
use crate::random::Random;

/// Where the copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The store's own file system: its files get second names.
    Beside,
    /// Another one: hard links are impossible.
    Elsewhere(Kind),
}

/// What becomes of the target's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// It has too little room from the beginning.
    TooSmall,
    /// Others take what it has while the copy is made.
    FillsUp,
    /// It is gone: every call fails with EIO.
    Fails,
    ReadOnly,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) target: Target,
    pub(super) trouble: Trouble,
    /// It comes when the copy has told of its progress so many times, from 1, since it reached the target.
    pub(super) at: u64,
    /// Bytes that are left of what is full.
    pub(super) left: u64,
}

/// In turn. The store's own file system does not fail here: `ioerr` has that.
const CASES: [(Target, Trouble); 11] = [
    (Target::Beside, Trouble::None),
    (Target::Elsewhere(Kind::Tmpfs), Trouble::FillsUp),
    (Target::Elsewhere(Kind::Ext4), Trouble::Fails),
    (Target::Beside, Trouble::TooSmall),
    (Target::Elsewhere(Kind::Ext4), Trouble::None),
    (Target::Elsewhere(Kind::Ext4), Trouble::FillsUp),
    (Target::Elsewhere(Kind::Ext4), Trouble::ReadOnly),
    (Target::Beside, Trouble::FillsUp),
    (Target::Elsewhere(Kind::Tmpfs), Trouble::TooSmall),
    (Target::Elsewhere(Kind::Ext4), Trouble::TooSmall),
    (Target::Elsewhere(Kind::Tmpfs), Trouble::None),
];
/// A copy tells of each of its files: there are more than so many.
const AT_MAX: u64 = 12;
/// More than what is left, and the copy takes it.
const LEFT_MAX: u64 = 256 << 10;

impl Case {
    pub(super) fn of(number: u32, random: &mut Random) -> Self {
        let (target, trouble) = CASES[number as usize % CASES.len()];
        Self {
            target,
            trouble,
            at: 1 + random.below(AT_MAX),
            left: random.below(LEFT_MAX),
        }
    }

    pub(super) fn name(&self) -> String {
        let target = match self.target {
            Target::Beside => "beside the store",
            Target::Elsewhere(Kind::Tmpfs) => "to a tmpfs",
            Target::Elsewhere(_) => "to an ext4",
        };
        let trouble = match self.trouble {
            Trouble::None => "",
            Trouble::TooSmall => " that is too small",
            Trouble::FillsUp => " that fills up",
            Trouble::Fails => " that fails",
            Trouble::ReadOnly => " that becomes read-only",
        };
        format!("{target}{trouble}")
    }
}
