//! How far a run has come: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::Outcome;
use crate::units::{count, micros};

const REDRAW_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    steps: usize,
    done: usize,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "  {bar:40.cyan/blue} {pos:>3} of {len}  {elapsed} of about {duration}  {msg}",
            );
            let bar = ProgressBar::new(steps as u64).with_style(style.expect("this template is valid"));
            bar.enable_steady_tick(REDRAW_EVERY);
            bar
        });
        Self { bar, steps, done: 0 }
    }

    pub(crate) fn begins(&self, name: &str, round: usize, rounds: u32) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{name}, run {round} of {rounds}"));
        }
    }

    pub(crate) fn ends(&mut self, name: &str, outcome: &Outcome) {
        let figure = |name| outcome.get(name).unwrap_or_default();
        self.tell(&format!(
            "{name:<15} {:>11} /s   p50 {:>9}   p99 {:>9}",
            count(figure("commands_per_s")),
            micros(figure("p50_us")),
            micros(figure("p99_us")),
        ));
    }

    /// A step without which the run goes on.
    pub(crate) fn fails(&mut self, name: &str, error: &anyhow::Error) {
        self.tell(&format!("{name:<15} left out: {error:#}"));
    }

    fn tell(&mut self, line: &str) {
        self.done += 1;
        let line = format!("{:>3} of {}  {line}", self.done, self.steps);
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.println(format!("  {line}"));
            }
            None => eprintln!("  {line}"),
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
