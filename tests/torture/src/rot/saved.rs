//! What is salvaged from a store that is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dormouse::{Store, StoreError};
use dormouse_persistence::inspect;

use super::check::{Allowed, image};
use super::content::{Known, options, read};
use crate::violation::Violation;

/// Saves what is whole: a store that opens, with what was before the damage and nothing else. What it kept and lost.
pub(crate) fn salvage(
    store: &Path,
    known: &Known,
    allowed: &Allowed,
    broken: &mut Vec<Violation>,
) -> Option<(u64, u64)> {
    let mut wrong = |what: String| broken.push(Violation::new("P4", format!("salvage: {what}")));
    let before = image(&store.join("log"));
    let to = store.with_extension("salvaged");
    let _ = fs::remove_dir_all(&to);
    let salvaged = match inspect::salvage(store, &to, &options()) {
        Ok(salvaged) => salvaged,
        Err(StoreError::NewerFormat { .. } | StoreError::NotAStore { .. }) => return None,
        Err(error) => {
            wrong(format!("it does nothing: {error}"));
            return None;
        }
    };
    if image(&store.join("log")) != before {
        wrong("it changed the damaged log".into());
    }
    let opened = Store::open_with(&to, options()).and_then(|store| {
        let commits = read(&store)?;
        store.close()?;
        Ok(commits)
    });
    let Some(saved) = allowed.saved else {
        return Some((0, salvaged.lost_events()));
    };
    match opened {
        Err(error) => wrong(format!("the new store does not open: {error}")),
        Ok(commits) => {
            let kept = commits.last().map_or(0, |commit| commit.last_offset);
            if !known.commits.starts_with(&commits) || kept != salvaged.kept.end.get() {
                wrong(format!("it kept {kept} offsets, which are not the store's first"));
            }
            if kept < saved {
                wrong(format!(
                    "it kept {kept} offsets where {saved} are whole: {:?}",
                    salvaged.damage
                ));
            }
            lists_what_is_lost(known, &salvaged, &mut wrong);
        }
    }
    let _ = fs::remove_dir_all(&to);
    Some((salvaged.kept.end.get(), salvaged.lost_events()))
}

/// Each stream that is shorter now is listed, with the versions it lost, but for what nothing tells of.
fn lists_what_is_lost(known: &Known, salvaged: &inspect::Salvaged, wrong: &mut dyn FnMut(String)) {
    let kept = salvaged.kept.end.get();
    let mut lost: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for commit in known.commits.iter().filter(|commit| commit.last_offset > kept) {
        let versions = lost.entry(&commit.stream).or_insert((commit.first_version, 0));
        versions.1 = commit.last_version;
    }
    for stream in &salvaged.lost {
        let listed = (stream.first.get(), stream.last.get());
        match lost.get(stream.stream.id.as_str()) {
            Some(truth) if truth.0 <= listed.0 && listed.1 <= truth.1 => {}
            truth => wrong(format!("it lists {stream}; lost are {truth:?}")),
        }
    }
    if salvaged.unknown_events == 0 && salvaged.reached.get() == known.end() {
        let listed = salvaged
            .lost
            .iter()
            .map(|stream| (stream.first.get(), stream.last.get()));
        if !listed.eq(lost.values().copied()) {
            wrong(format!("it lists {:?} where {lost:?} are lost", salvaged.lost));
        }
    }
    if kept < known.end() && salvaged.damage.is_empty() && salvaged.reached.get() > kept {
        wrong("it lost events and names no damage".into());
    }
}
