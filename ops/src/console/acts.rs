//! The buttons that change something. Each asks first, and then posts to the admin API.

use dormouse_domain::StreamId;
use maud::{Markup, html};

use crate::console::links;
use crate::console::page::Page;
use crate::jobs::{Job, Kind};

/// Of one aggregate.
pub(crate) fn of_aggregate(base: &str, stream: &StreamId) -> Markup {
    let name = [
        ("type", stream.aggregate_type.as_str()),
        ("id", stream.id.as_str()),
    ];
    let at = |act: &str| links::to(base, &format!("/api/v1/stream/{act}"), &name);
    html! {
        (button(&Act {
            words: "Snapshot now",
            post: &at("snapshot"),
            ask: "Stores a snapshot of its durable state in place of the one before. Its next activation starts from there.",
            done: &[("", "A snapshot is stored.")],
            then: None,
            is_final: false,
        }))
        (button(&Act {
            words: "Passivate",
            post: &at("passivate"),
            ask: "Takes it out of memory, unless something is in flight to it. Its next command wakes it again.",
            done: &[
                ("done", "It is asleep."),
                ("not_resident", "It was asleep already."),
                ("busy", "Something is in flight to it, so it stays. Try again."),
            ],
            then: None,
            is_final: false,
        }))
    }
}

/// Of the store: each of them is a job. Nothing for who may not act.
pub(crate) fn of_store(page: &Page) -> Markup {
    if !page.may_act {
        return html! {};
    }
    let base = page.base();
    let at = |act: &str| format!("{base}/api/v1/{act}");
    let jobs = format!("{base}/jobs");
    html! {
        (checkpoint(page, &at("checkpoint"), &jobs))
        (button(&Act {
            words: "Compact",
            post: &at("compact"),
            ask: "Rewrites the index in as few sorted runs as it takes. It takes disk bandwidth and, while it runs, up to the index's size of disk.",
            done: &[],
            then: Some(&jobs),
            is_final: false,
        }))
        (button(&Act {
            words: "Drain",
            post: &at("drain"),
            ask: "Takes no more commands, finishes what is in flight and puts all aggregates to sleep. Only a restart takes commands again.",
            done: &[],
            then: Some(&jobs),
            is_final: true,
        }))
    }
}

/// Shown where it can't be done, too, with what is missing.
fn checkpoint(page: &Page, post: &str, jobs: &str) -> Markup {
    match &page.attached.backup_root {
        Some(root) => button(&Act {
            words: "Checkpoint",
            post,
            ask: &format!(
                "Writes a consistent copy of the store to a new directory below {}. Commands go on.",
                root.display()
            ),
            done: &[],
            then: Some(jobs),
            is_final: false,
        }),
        None => html! {
            button type="button" disabled aria-describedby="no-checkpoint" { "Checkpoint" }
            p.note #no-checkpoint {
                "No checkpoints: " code { "backup_root" } " is not set in the ops builder."
            }
        },
    }
}

/// Of a job that runs, if its kind can be cancelled.
pub(crate) fn of_job(base: &str, job: &Job) -> Markup {
    html! {
        @if job.kind != Kind::Drain && !job.is_cancelled() {
            (button(&Act {
                words: "Cancel",
                post: &format!("{base}/api/v1/jobs/{}/cancel", job.id),
                ask: "Asks it to give up at its next step.",
                done: &[("", "It was asked to give up.")],
                then: None,
            is_final: false,
            }))
        }
    }
}

struct Act<'a> {
    words: &'a str,
    post: &'a str,
    /// What it does, said before it is done.
    ask: &'a str,
    /// What is said afterwards, by the answer's `outcome`; the empty word stands for any.
    done: &'a [(&'a str, &'a str)],
    /// Where to go on.
    then: Option<&'a str>,
    /// Whether it can't be taken back.
    is_final: bool,
}

fn button(act: &Act<'_>) -> Markup {
    html! {
        button.danger[act.is_final] type="button" data-post=(act.post) data-ask=(act.ask) data-then=[act.then] {
            (act.words)
            @for (outcome, words) in act.done { template data-outcome=(outcome) { (words) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use dormouse_domain::AggregateType;

    use super::*;

    #[test]
    fn whatever_it_is_called_its_buttons_post_to_its_own_address() {
        let stream = StreamId::new(
            AggregateType::from_static("../drain?x#"),
            "..".try_into().unwrap(),
        );
        let buttons = of_aggregate("/ops", &stream).into_string();
        let address = "data-post=\"/ops/api/v1/stream/passivate?type=..%2Fdrain%3Fx%23&amp;id=..\"";
        assert!(buttons.contains(address), "{buttons}");
    }
}
