//! `dormouse salvage`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use dormouse_persistence::inspect::{self, Salvaged};

use crate::progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Salvage {
    /// The damaged store's directory; nothing in it is changed.
    store: PathBuf,
    /// Where the new store is made: a directory that is empty or not there.
    #[arg(long, value_name = "NEW_STORE")]
    to: PathBuf,
}

impl Salvage {
    /// Whether nothing is lost.
    pub(crate) fn run(&self) -> Result<bool> {
        let (options, bar) = progress::shown("copying");
        let salvaged = inspect::salvage(&self.store, &self.to, &options);
        bar.finish_and_clear();
        let salvaged = salvaged.with_context(|| format!("{} was not salvaged", self.store.display()))?;
        self.tell(&salvaged);
        Ok(salvaged.damage.is_empty())
    }

    fn tell(&self, salvaged: &Salvaged) {
        let (kept, lost) = (salvaged.kept, salvaged.lost_events());
        println!(
            "kept     {} events in {} commits, offsets 1 to {}, in {}",
            kept.events,
            kept.commits,
            kept.end,
            self.to.display()
        );
        for note in &salvaged.notes {
            println!("NOTE     {note}");
        }
        for damage in &salvaged.damage {
            println!("DAMAGE   {damage}");
        }
        for stream in &salvaged.lost {
            println!("LOST     {stream}");
        }
        if salvaged.unknown_events > 0 {
            println!(
                "LOST     {} events of streams that nothing names",
                salvaged.unknown_events
            );
        }
        if salvaged.damage.is_empty() {
            println!("nothing is lost");
            return;
        }
        match lost {
            0 => println!("no event is known to be lost behind offset {}", kept.end),
            _ => println!(
                "lost: {lost} events at offsets {} to {}",
                kept.end.next(),
                salvaged.reached
            ),
        }
        println!(
            "Keep {}: what is whole behind the damage is only there.",
            self.store.display()
        );
    }
}
