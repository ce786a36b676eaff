//! The version of an aggregate at a moment: asked for as people write times, and told with the time of its event.

use dormouse_domain::{StreamId, Timestamp, Version};
use dormouse_runtime::admin::{Admin, AsOf};
use maud::{Markup, html};

use crate::console::time;
use crate::format;

/// What a time led to.
pub(crate) struct Found {
    /// As it was written; a day, an hour, a minute or a second counts to its end.
    pub(crate) asked: String,
    outcome: Outcome,
}

enum Outcome {
    NoTime,
    /// The state can't be told.
    Failed(String),
    /// It had no event yet.
    Before,
    At(Version, Option<Timestamp>),
}

impl Found {
    /// None: no time was asked for.
    pub(crate) async fn read(admin: &Admin, stream: &StreamId, asked: &str) -> Option<Self> {
        let asked = asked.trim().trim_end_matches("UTC").trim_end();
        if asked.is_empty() {
            return None;
        }
        let outcome = match time::last_of(asked) {
            None => Outcome::NoTime,
            Some(time) => match admin.state_at(stream, AsOf::Time(time)).await {
                Err(error) => Outcome::Failed(error.to_string()),
                Ok(state) if state.version == Version::NONE => Outcome::Before,
                Ok(state) => Outcome::At(state.version, state.time),
            },
        };
        Some(Self {
            asked: asked.to_owned(),
            outcome,
        })
    }

    /// The version to show; none where the time led to no version.
    pub(crate) fn version(&self) -> Option<Version> {
        match self.outcome {
            Outcome::NoTime | Outcome::Failed(_) => None,
            Outcome::Before => Some(Version::new(1)),
            Outcome::At(version, _) => Some(version),
        }
    }

    pub(crate) fn markup(&self) -> Markup {
        let asked = &self.asked;
        html! {
            @match &self.outcome {
                Outcome::NoTime => span.wrong {
                    "“" (asked) "” is no time. Write it in UTC: 2026-01-31, 2026-01-31 23:59 or 2026-01-31 23:59:59.123."
                },
                Outcome::Failed(error) => span.wrong { "The version at " (asked) " UTC can't be told: " (error) },
                Outcome::Before => { "At " (asked) " UTC it had no event yet. Its first one is shown." },
                Outcome::At(version, time) => {
                    "At " (asked) " UTC its newest version was " b { (format::count(version.get())) }
                    @if let Some(time) = time { ", stored " (time::to_the_millisecond(*time)) " UTC" }
                    "."
                },
            }
        }
    }
}
