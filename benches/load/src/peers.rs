//! The comparison with what one would take instead: cqrs-es with PostgreSQL. It is measured by the program `peers`, which is
//! built apart (`benches/peers`), because nothing else here needs its dependencies.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::arguments::{Arguments, Scenario};
use crate::step::{Peer, PeerStore, Traffic, Work};

/// Streams of each kind that are woken: the figure is their median.
const WAKES_FULL: u32 = 9;
const WAKES_SHORT: u32 = 5;

/// All its works, by name.
pub(crate) fn works(
    spread_clients: &[u64],
    hot_clients: &[u64],
    seconds: f64,
    is_full: bool,
) -> Vec<(String, Work)> {
    let spread = spread_clients.iter().map(|clients| {
        let name = format!("cqrs-spread-{clients}");
        (name, Traffic::ACCOUNTS, *clients, PeerStore::Events)
    });
    let hot = hot_clients.iter().filter(|clients| **clients > 1);
    let hot = hot.map(|clients| (format!("cqrs-hot-{clients}"), 1, *clients, PeerStore::Aggregates));
    let traffics = spread.chain(hot).map(|(name, ids, clients, store)| {
        let peer = Peer::Traffic {
            ids,
            clients,
            seconds,
            store,
        };
        (name, Work::Peer(peer))
    });
    let cold = Peer::Cold {
        events: 10_000,
        wakes: if is_full { WAKES_FULL } else { WAKES_SHORT },
        snapshot_every: 100,
    };
    let cold = ("cqrs-cold".to_owned(), Work::Peer(cold));
    traffics.chain([cold]).collect()
}

/// Puts each work of a peer right after the scenario that it is compared with: noise of the machine meets both.
pub(crate) fn add_beside(works: &mut Vec<(String, Work)>, peers: Vec<(String, Work)>) {
    for peer in peers {
        let beside = works
            .iter()
            .position(|(name, _)| Some(name.as_str()) == peer.0.strip_prefix("cqrs-"));
        works.insert(beside.map_or(works.len(), |own| own + 1), peer);
    }
}

/// Where the program is, if it was built and says that it can measure. Otherwise tells why, once.
pub(crate) fn find(arguments: &Arguments) -> Option<PathBuf> {
    if !arguments.chosen(Scenario::Peers) {
        return None;
    }
    match check(arguments) {
        Ok((program, version)) => {
            eprintln!("peers: cqrs-es with {version}");
            Some(program)
        }
        Err(error) => {
            eprintln!("peers are left out: {error:#}");
            None
        }
    }
}

fn check(arguments: &Arguments) -> Result<(PathBuf, String)> {
    let program = match &arguments.peers {
        Some(given) => given.clone(),
        None => std::env::current_exe()?.with_file_name("peers"),
    };
    ensure!(
        program.is_file(),
        "{} was not built; `make peers` does, and --peers names it",
        program.display()
    );
    let program = program.canonicalize()?;
    let output = Command::new(&program).arg("--check").output();
    let output = output.with_context(|| format!("{} can't be run", program.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}",
        told.trim().trim_start_matches("peers: ")
    );
    Ok((program, String::from_utf8_lossy(&output.stdout).trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::step::Step;
    use clap::Parser;

    /// `peers` is built apart; its tests use the same two files, so neither side can change alone.
    #[test]
    fn both_programs_speak_one_protocol() {
        let traffic = Peer::Traffic {
            ids: 10_000,
            clients: 64,
            seconds: 3.0,
            store: PeerStore::Events,
        };
        let step = Step {
            name: "cqrs-spread-64".into(),
            directory: "stores/cqrs-spread-64".into(),
            seed: 20_130_101,
            work: Work::Peer(traffic),
        };
        let sample: Step = serde_json::from_str(include_str!("../../peers/protocol/step.json")).unwrap();
        assert_eq!(sample, step);
        let outcome: Outcome =
            serde_json::from_str(include_str!("../../peers/protocol/outcome.json")).unwrap();
        assert_eq!(outcome.get("commands_per_s"), Some(50.0));
        assert_eq!(outcome.latency.count, 100);
        assert!((outcome.latency.at_us(0.5) - 50.0).abs() < 0.1);
    }

    #[test]
    fn a_program_that_is_not_there_is_left_out() {
        let arguments = Arguments::try_parse_from(["load", "peers", "--peers", "/nowhere/peers"]).unwrap();
        assert_eq!(find(&arguments), None);
    }
}
