//! Making the system forget files.

use std::path::Path;
use std::process::Command;

/// Everything below a directory, by coreutils' `dd`: the call itself is not to be had without `unsafe`. Where it fails,
/// the figures called cold are those of RocksDB's cold cache only.
pub(super) fn forget(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget(&path);
        } else {
            let input = format!("if={}", path.display());
            let _ = Command::new("dd")
                .args([&input, "iflag=nocache", "count=0", "status=none"])
                .status();
        }
    }
}
