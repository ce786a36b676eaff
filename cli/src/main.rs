//! The `dormouse` command, for whoever runs a store. It works on closed stores; none of it changes the store it looks at.

mod progress;
mod salvage;
mod verify;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "dormouse",
    version,
    about = "Looks into a closed store of Dormouse, and saves what is whole of a damaged one"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads everything and compares it: checksums, the chain of hashes, streams and command ids against the log.
    ///
    /// Changes nothing. Ends with 0 if the store is whole, 1 if something is lost or can't be told, 2 if it could not
    /// be looked at.
    Verify(verify::Verify),
    /// Copies a damaged store, up to the first damage of its log, into a new one, and lists what is lost.
    ///
    /// Never writes into the damaged store. Ends with 0 if nothing is lost, 1 if something is or it can't be told, 2 if
    /// there is no new store.
    Salvage(salvage::Salvage),
}

/// Something is lost, or can't be told.
const LOSS: u8 = 1;
/// The command could not do its work.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let whole = match Arguments::parse().command {
        Command::Verify(verify) => verify.run(),
        Command::Salvage(salvage) => salvage.run(),
    };
    match whole {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(LOSS),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// A report on standard output. Whoever reads it may leave early (`| head`): that changes nothing of what was found.
fn print(report: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{report}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
