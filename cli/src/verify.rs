//! `dormouse verify`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use dormouse_persistence::inspect::{self, Verified};

use crate::progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The store's directory.
    store: PathBuf,
}

impl Verify {
    /// Whether the store is whole.
    pub(crate) fn run(&self) -> Result<bool> {
        let (options, bar) = progress::shown("reading");
        let verified = inspect::verify(&self.store, &options);
        bar.finish_and_clear();
        let verified = verified.with_context(|| format!("{} was not verified", self.store.display()))?;
        crate::print(&self.report(&verified))?;
        Ok(verified.is_whole())
    }

    fn report(&self, verified: &Verified) -> String {
        let log = verified.log;
        let mut lines = vec![
            format!(
                "log        {} events in {} commits, {} segments; the last offset is {}",
                log.events, log.commits, log.segments, log.end
            ),
            format!("streams    {}", verified.streams),
            match verified.watermark {
                Some(offset) => format!("watermark  offset {offset}"),
                None => "watermark  none: nothing but the index tells how far the log reached".into(),
            },
            format!(
                "index      up to offset {}, {} snapshots",
                verified.indexed, verified.snapshots
            ),
        ];
        let findings = verified.findings.iter();
        lines.extend(findings.map(|finding| format!("FOUND      {finding}")));
        lines.push(match (verified.is_whole(), verified.findings.is_empty()) {
            (true, true) => "whole".to_owned(),
            (true, false) => "whole: what was found loses nothing".to_owned(),
            (false, _) => format!(
                "damaged. What can be saved: dormouse salvage {} --to NEW_STORE",
                self.store.display()
            ),
        });
        lines.join("\n")
    }
}
