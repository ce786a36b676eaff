//! What a harness tried and found.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::planted::Fate;
use crate::report::Report;
use crate::violation::Violation;

/// Kept a try from being one: it ended before it came to what was to happen in it.
pub(crate) const NOT_REACHED: &str = "not reached";

/// One harness's figures, as they go into `summary.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Tally {
    pub(crate) harness: &'static str,
    pub(crate) tried: u64,
    /// Of them, those that did not come to what was to be tried.
    not_reached: u64,
    pub(crate) violations: Vec<Violation>,
    /// What is known of them, and how to see them again.
    reports: Vec<Report>,
    pub(crate) seconds: f64,
    /// What was tried, by kind, and of it what did not come to it.
    kinds: BTreeMap<String, u64>,
    counts: BTreeMap<&'static str, u64>,
    notes: Vec<String>,
    /// What was not tried, and why.
    skipped: Vec<String>,
    /// What became of each planted bug.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) planted: Vec<Fate>,
    #[serde(skip)]
    started: Instant,
    #[serde(skip)]
    bar: ProgressBar,
}

impl Tally {
    pub(crate) fn new(harness: &'static str, of: u32) -> Self {
        let bar = ProgressBar::new(of.into());
        let style = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} {elapsed_precise} {msg}");
        bar.set_style(style.expect("the template is valid"));
        bar.set_prefix(harness);
        Self {
            harness,
            tried: 0,
            not_reached: 0,
            violations: Vec::new(),
            reports: Vec::new(),
            seconds: 0.0,
            kinds: BTreeMap::new(),
            counts: BTreeMap::new(),
            notes: Vec::new(),
            skipped: Vec::new(),
            planted: Vec::new(),
            started: Instant::now(),
            bar,
        }
    }

    /// One more try of a kind; `but`: what kept it from being one, or nothing.
    pub(crate) fn tried(&mut self, kind: &str, but: &str) {
        self.tried += 1;
        self.not_reached += u64::from(but == NOT_REACHED);
        let kind = if but.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}, {but}")
        };
        *self.kinds.entry(kind).or_default() += 1;
        self.seconds = self.started.elapsed().as_secs_f64();
        self.bar.inc(1);
    }

    /// So many tries of a kind at once, all of them what they were to be.
    pub(crate) fn tried_many(&mut self, kind: &str, many: u64) {
        self.tried += many;
        *self.kinds.entry(kind.to_owned()).or_default() += many;
        self.seconds = self.started.elapsed().as_secs_f64();
        self.bar.inc(many);
    }

    pub(crate) fn count(&mut self, what: &'static str, many: u64) {
        *self.counts.entry(what).or_default() += many;
    }

    pub(crate) fn counted(&self, what: &'static str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    pub(crate) fn longest(&mut self, what: &'static str, value: u64) {
        let longest = self.counts.entry(what).or_default();
        *longest = value.max(*longest);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something can't be tried on this machine.
    pub(crate) fn skip(&mut self, why: impl Into<String>) {
        self.skipped.push(why.into());
    }

    /// A harness that tries nothing and does not say why proves nothing: that is red, too.
    pub(crate) fn require_tries(&mut self) {
        if self.tried == 0 && self.violations.is_empty() && self.skipped.is_empty() {
            let what = format!("{} tried nothing", self.harness);
            eprintln!("{what}");
            self.violations.push(Violation::new("none", what));
        }
    }

    /// A promise was broken: says which, where, and how to see it again. The store is kept.
    pub(crate) fn failed(&mut self, violations: &[Violation], place: &str, store: &Path, rerun: &str) {
        self.report(Report::new(violations, place, store, rerun));
    }

    /// The same, of which more is known.
    pub(crate) fn report(&mut self, report: Report) {
        self.bar.abandon();
        eprintln!("{report}");
        self.violations.extend(report.violations.iter().cloned());
        self.reports.push(report);
    }

    /// The table for people.
    pub(crate) fn print(&self) {
        self.bar.finish_and_clear();
        let reached = match self.not_reached {
            0 => String::new(),
            not_reached => format!(" ({} of them reached)", self.tried - not_reached),
        };
        println!(
            "{}: {} tried in {:.0} s{reached}, {} violations",
            self.harness,
            self.tried,
            self.seconds,
            self.violations.len()
        );
        for (kind, many) in &self.kinds {
            println!("  {many:>9}  {kind}");
        }
        for (what, many) in &self.counts {
            println!("  {many:>9}  {what}");
        }
        for note in &self.notes {
            println!("  {note}");
        }
        for why in &self.skipped {
            println!("  NOT TRIED: {why}");
        }
    }
}
