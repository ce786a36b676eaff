//! Damage anywhere in the log, as a seed has it.

use dormouse_persistence::StoreError;

use super::{END, copy, edit, files, is_info_log, with_tables_and_wal};
use crate::child::Random;
use crate::client::{check_gapless, log};
use crate::disk::Directory;
use crate::suite::{Place, indexes_never};

#[test]
fn no_damage_to_the_log_is_overlooked() {
    let seed = std::env::var("DORMOUSE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("rerun with DORMOUSE_SEED={seed}");
    let mut random = Random(seed);
    let whole = with_tables_and_wal();
    let expected = {
        let copied = Directory::new();
        copy(whole.path(), copied.path());
        let events = check_gapless(&copied.open(indexes_never()).unwrap());
        assert_eq!(events.len() as u64, 2 * END);
        events
    };
    let (mut refusals, mut unread) = (0, 0);
    for round in 0..80 {
        let directory = Directory::new();
        copy(whole.path(), directory.path());
        let targets: Vec<_> = files(&directory.path().join("log"))
            .into_iter()
            .filter(|path| !is_info_log(path))
            .collect();
        let path = &targets[random.below(targets.len() as u64) as usize];
        let kind = random.below(4);
        edit(path, |bytes| {
            let at = random.below(bytes.len().max(1) as u64) as usize;
            match kind {
                _ if bytes.is_empty() => {}
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at),
                2 => {
                    let end = (at + 512).min(bytes.len());
                    bytes[at..end].fill(0);
                }
                _ => {
                    let at = at / 4096 * 4096;
                    let end = (at + 4096).min(bytes.len());
                    bytes[at..end].fill(random.below(256) as u8);
                }
            }
        });
        let what = format!("round {round}: kind {kind} on {path:?}");
        match directory.open(indexes_never()) {
            Err(error) => {
                refusals += 1;
                assert!(
                    !matches!(error, StoreError::Closed | StoreError::Stopped { .. }),
                    "{what}: {error}"
                );
            }
            Ok(store) => {
                assert_eq!(store.durable().get(), 2 * END, "{what}");
                match log(&store, 1) {
                    // A table's damage shows when it is read.
                    Err(_) => unread += 1,
                    Ok((events, _)) => assert!(events == expected, "{what}: read, but not what was written"),
                }
            }
        }
    }
    println!("{refusals} refused, {unread} refused on reading");
    assert!(refusals > 25, "the damage hits nothing: {refusals} refused");
}
