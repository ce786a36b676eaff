//! How far the replay is: a bar on a terminal, a line each tenth elsewhere.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// The bar is told at most once in so many acknowledgements.
const TOLD_EVERY: u64 = 512;

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    started: Instant,
    tenths: u64,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "  {bar:40.cyan/blue} {percent:>3} %  {human_pos} of {human_len} commands, {per_sec}, {eta} left",
            );
            ProgressBar::new(total).with_style(style.expect("this template is valid"))
        });
        Self {
            bar,
            total,
            started: Instant::now(),
            tenths: 0,
        }
    }

    pub(crate) fn at(&mut self, done: u64) {
        match &self.bar {
            Some(bar) if done.is_multiple_of(TOLD_EVERY) || done == self.total => bar.set_position(done),
            None if done * 10 / self.total > self.tenths => {
                self.tenths = done * 10 / self.total;
                let seconds = self.started.elapsed().as_secs_f64();
                eprintln!(
                    "  {:>3} %  {done} of {} commands, {seconds:.1} s",
                    self.tenths * 10,
                    self.total
                );
            }
            _ => {}
        }
    }

    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("  {line}")),
            None => eprintln!("  {line}"),
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
