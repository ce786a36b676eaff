//! One look at the runtime, ready to be shown: rendered once, whoever looks.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dormouse_domain::Timestamp;
use dormouse_runtime::{Dormouse, Statistics};

use crate::console::standing::Standing;
use crate::console::window::{FIGURES, SERIES, Window};
use crate::readiness::Readiness;

/// Figures are taken over so many looks: over one they would flicker.
const FIGURES_OVER: usize = 5;
/// Looks whose drawing is kept: five minutes at one a second, about 60 KiB.
pub(crate) const KEPT: usize = 300;

/// What a page shows of one moment.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) standing: Standing,
    /// In the order of [`FIGURES`]; empty while there is no runtime.
    figures: Vec<(&'static str, String)>,
}

impl Sample {
    /// A figure by its name; a dash while there is none.
    pub(crate) fn figure(&self, name: &str) -> &str {
        debug_assert!(
            FIGURES.iter().any(|(known, _)| *known == name),
            "no figure {name}"
        );
        let found = self.figures.iter().find(|(known, _)| *known == name);
        found.map_or("–", |(_, text)| text)
    }
}

/// The runtime's statistics at a moment.
pub(crate) struct Look {
    at: Instant,
    statistics: Statistics,
}

impl Look {
    /// Some I/O, for the sizes on disk.
    pub(crate) fn at(runtime: &Dormouse) -> Self {
        Self {
            at: Instant::now(),
            statistics: runtime.statistics(),
        }
    }
}

/// The looks of the last minutes. Bounded: [`KEPT`] rows, [`FIGURES_OVER`] statistics.
#[derive(Default)]
pub(crate) struct Samples {
    looks: VecDeque<Look>,
    /// JSON arrays: the time in milliseconds, then the values of [`SERIES`].
    rows: VecDeque<String>,
    pub(crate) latest: Sample,
}

impl Samples {
    /// Takes one more look in. Returns it as a JSON object for those who watch.
    pub(crate) fn take(&mut self, look: Option<Look>, readiness: Readiness) -> String {
        let mut figures = Vec::new();
        match look {
            Some(now) => {
                // another runtime was attached: its counts begin anew
                if self
                    .looks
                    .back()
                    .is_some_and(|last| last.statistics.events > now.statistics.events)
                {
                    self.looks.clear();
                }
                if let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) {
                    let over = |before: &Look| now.at - before.at;
                    let second = window(last, &now, over(last));
                    let seconds = window(first, &now, over(first));
                    self.rows.push_back(row(&second));
                    figures = FIGURES
                        .iter()
                        .map(|(name, text)| (*name, text(&seconds)))
                        .collect();
                }
                self.looks.push_back(now);
                if self.looks.len() > FIGURES_OVER {
                    self.looks.pop_front();
                }
            }
            None => self.looks.clear(),
        }
        if self.rows.len() > KEPT {
            self.rows.pop_front();
        }
        let drawn = !figures.is_empty();
        self.latest = Sample {
            standing: readiness.into(),
            figures,
        };
        let row = self.rows.back().filter(|_| drawn).map_or("null", String::as_str);
        format!("{{\"row\":{row},{}}}", self.words())
    }

    /// All that is kept, and how to read it, as a JSON object.
    pub(crate) fn all(&self, folder: &str) -> String {
        let series: Vec<&str> = SERIES.iter().map(|(name, _)| *name).collect();
        let rows = self.rows.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let series = serde_json::json!(series);
        format!(
            "{{\"folder\":\"{folder}\",\"kept\":{KEPT},\"series\":{series},\"rows\":[{rows}],{}}}",
            self.words()
        )
    }

    fn words(&self) -> String {
        let Sample { standing, figures } = &self.latest;
        let figures: serde_json::Map<_, _> = figures
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone().into()))
            .collect();
        format!(
            "\"standing\":{},\"figures\":{}",
            serde_json::json!({ "kind": standing.kind, "word": standing.word, "reason": standing.reason }),
            serde_json::Value::Object(figures)
        )
    }
}

fn window<'a>(before: &'a Look, now: &'a Look, took: Duration) -> Window<'a> {
    Window {
        before: &before.statistics,
        now: &now.statistics,
        took,
    }
}

/// Six significant figures draw as well as sixteen.
fn row(window: &Window<'_>) -> String {
    let now = Timestamp::from(std::time::SystemTime::now());
    let mut row = format!("[{}", now.as_millis());
    for (_, value) in SERIES {
        let value = value(window);
        let written = if value == value.trunc() && value.abs() < 1e15 {
            write!(row, ",{value:.0}")
        } else {
            write!(row, ",{value:.5e}")
        };
        written.expect("a string takes whatever is written");
    }
    row.push(']');
    row
}
