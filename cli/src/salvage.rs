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
        Ok(salvaged.damage.is_empty() && !salvaged.is_end_unknown)
    }

    fn tell(&self, salvaged: &Salvaged) {
        let (kept, lost) = (salvaged.kept, salvaged.lost_events());
        let to = self.to.display();
        match kept.events {
            0 => println!("kept     nothing; the new store, in {to}, is empty"),
            events => println!(
                "kept     {events} events in {} commits, offsets 1 to {}, in {to}",
                kept.commits, kept.end
            ),
        }
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
                "LOST     {} of streams that nothing names",
                count(salvaged.unknown_events)
            );
        }
        match (salvaged.damage.is_empty(), lost) {
            (true, _) if !salvaged.is_end_unknown => {
                println!("nothing is lost");
                return;
            }
            (_, 0) => println!("no event is known to be lost behind offset {}", kept.end),
            (_, 1) => println!("lost: the event at offset {}", salvaged.reached),
            _ => println!(
                "lost: {lost} events at offsets {} to {}",
                kept.end.next(),
                salvaged.reached
            ),
        }
        if salvaged.is_end_unknown {
            println!("Without its watermark nothing tells whether the log reached further.");
        }
        println!(
            "Keep {}: what is whole behind the damage is only there.",
            self.store.display()
        );
    }
}

fn count(events: u64) -> String {
    match events {
        1 => "1 event".into(),
        _ => format!("{events} events"),
    }
}
