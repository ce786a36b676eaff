//! The buttons that change something. Each asks first, and then posts to the admin API.

use dormouse_domain::StreamId;
use maud::{Markup, html};

/// Of one aggregate.
pub(crate) fn of_aggregate(base: &str, stream: &StreamId) -> Markup {
    let at = |act: &str| {
        let mut address = format!("{base}/api/v1/aggregates/{}/", stream.aggregate_type);
        crate::console::links::encode(stream.id.as_str(), &mut address);
        format!("{address}/{act}")
    };
    html! {
        (button(&Act {
            words: "Snapshot now",
            post: &at("snapshot"),
            ask: "Stores a snapshot of its durable state in place of the one before. Its next activation starts from there.",
            done: "A snapshot is stored.",
            then: None,
        }))
        (button(&Act {
            words: "Passivate",
            post: &at("passivate"),
            ask: "Takes it out of memory, unless something is in flight to it. Its next command wakes it again.",
            done: "It is asleep.",
            then: None,
        }))
    }
}

/// Of the store. Each of them but the last is a job.
pub(crate) fn of_store(base: &str) -> Markup {
    let at = |act: &str| format!("{base}/api/v1/{act}");
    let jobs = format!("{base}/jobs");
    html! {
        (button(&Act {
            words: "Checkpoint",
            post: &at("store/checkpoint"),
            ask: "Writes a consistent copy of the store below the directory that was configured for it. Commands go on.",
            done: "It has begun.",
            then: Some(&jobs),
        }))
        (button(&Act {
            words: "Compact",
            post: &at("store/compact"),
            ask: "Rewrites the index in as few sorted runs as it takes. It takes disk bandwidth and, while it runs, up to the index's size of disk.",
            done: "It has begun.",
            then: Some(&jobs),
        }))
        (button(&Act {
            words: "Drain",
            post: &at("drain"),
            ask: "Takes no more commands, finishes what is in flight and puts all aggregates to sleep. Only a restart takes commands again.",
            done: "It has begun.",
            then: Some(&jobs),
        }))
    }
}

struct Act<'a> {
    words: &'a str,
    post: &'a str,
    /// What it does, said before it is done.
    ask: &'a str,
    done: &'a str,
    /// Where to go on.
    then: Option<&'a str>,
}

fn button(act: &Act<'_>) -> Markup {
    html! {
        button type="button" data-post=(act.post) data-ask=(act.ask) data-done=(act.done) data-then=[act.then] { (act.words) }
    }
}
