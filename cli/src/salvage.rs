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
        crate::print(&self.report(&salvaged))?;
        Ok(salvaged.damage.is_empty() && !salvaged.is_end_unknown)
    }

    fn report(&self, salvaged: &Salvaged) -> String {
        let (kept, lost) = (salvaged.kept, salvaged.lost_events());
        let to = self.to.display();
        let mut lines = vec![match kept.events {
            0 => format!("kept     nothing; the new store, in {to}, is empty"),
            events => format!(
                "kept     {events} events in {} commits, offsets 1 to {}, in {to}",
                kept.commits, kept.end
            ),
        }];
        lines.extend(salvaged.notes.iter().map(|note| format!("NOTE     {note}")));
        lines.extend(salvaged.damage.iter().map(|damage| format!("DAMAGE   {damage}")));
        lines.extend(salvaged.lost.iter().map(|stream| format!("LOST     {stream}")));
        match salvaged.unknown_events {
            0 => {}
            1 => lines.push("LOST     1 event of a stream that nothing names".into()),
            events => lines.push(format!("LOST     {events} events of streams that nothing names")),
        }
        if salvaged.damage.is_empty() && !salvaged.is_end_unknown {
            lines.push("nothing is lost".into());
            return lines.join("\n");
        }
        lines.push(match lost {
            0 => format!("no event is known to be lost behind offset {}", kept.end),
            1 => format!("lost: the event at offset {}", salvaged.reached),
            _ => format!(
                "lost: {lost} events at offsets {} to {}",
                kept.end.next(),
                salvaged.reached
            ),
        });
        if salvaged.is_end_unknown {
            lines.push("Without its watermark nothing tells whether the log reached further.".into());
        }
        lines.push(format!(
            "Keep {}: what is whole behind the damage is only there.",
            self.store.display()
        ));
        lines.join("\n")
    }
}
