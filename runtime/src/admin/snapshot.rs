//! A snapshot taken at an operator's wish.

use dormouse_domain::Version;

/// A snapshot was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotTaken {
    /// The version of the state in it.
    pub version: Version,
    /// How many bytes the encoded state takes.
    pub bytes: usize,
}
