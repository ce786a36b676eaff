//! The events of one aggregate, newest first, a page at a time.

use dormouse_domain::Version;
use dormouse_runtime::admin::{EventRecord, EventsPage, Payload};
use maud::{Markup, html};

use crate::console::difference::pretty;
use crate::console::{json, links, time};
use crate::format;

/// Events on a page: what a person looks through. A longer one would make the slider slow.
pub(crate) const PAGE: u64 = 50;
/// Of a payload on its line.
const BRIEF_CHARS_MAX: usize = 180;
/// Of a payload that can't be decoded.
const RAW_BYTES_MAX: usize = 512;

/// The first version of the page that shows `version`. The last page is full like the others, and so overlaps the one
/// before: a single newest event would tell little.
pub(crate) fn page_start(version: Version, head: Version) -> Version {
    let (version, head) = (version.get().max(1), head.get().max(1));
    let aligned = (version - 1) / PAGE * PAGE + 1;
    let last = head.saturating_sub(PAGE - 1).max(1);
    Version::new(if aligned + PAGE > head { last } else { aligned })
}

pub(crate) fn markup(page: &EventsPage, at: Version, link: &Link<'_>) -> Markup {
    let first = page.events.first().map_or(0, |event| event.version.get());
    let last = page.events.last().map_or(0, |event| event.version.get());
    html! {
        header {
            h2 { "Events" }
            span.note { (format::count(first)) " to " (format::count(last)) " of " (format::count(page.head.get())) ", newest first, times in UTC" }
        }
        ol.events reversed tabindex="-1" {
            @for event in page.events.iter().rev() { (self::event(event, event.version == at, link)) }
        }
        @if page.head.get() > PAGE {
            div.pages {
                (step(link, page.head.get(), last < page.head.get(), "Newest"))
                (step(link, last + 1, last < page.head.get(), "Newer"))
                (step(link, first.saturating_sub(1), first > 1, "Older"))
                (step(link, 1, first > 1, "First"))
            }
        }
    }
}

fn step(link: &Link<'_>, version: u64, there: bool, words: &str) -> Markup {
    html! {
        @if there {
            a.button href=(link.to(version)) data-version=(version) { (words) }
        } @else {
            button type="button" disabled { (words) }
        }
    }
}

/// Where versions of this aggregate are shown.
pub(crate) struct Link<'a> {
    pub(crate) base: &'a str,
    pub(crate) aggregate_type: &'a str,
    pub(crate) id: &'a str,
}

impl Link<'_> {
    pub(crate) fn to(&self, version: u64) -> String {
        links::aggregate(self.base, self.aggregate_type, self.id, Some(version))
    }
}

fn event(event: &EventRecord, current: bool, link: &Link<'_>) -> Markup {
    let version = event.version.get();
    html! {
        li.event aria-current=[current.then_some("true")] {
            details open[current] {
                summary {
                    a.version href=(link.to(version)) data-version=(version) { (format::count(version)) }
                    span.when { (time::to_the_millisecond(event.time)) }
                    span.what {
                        span.name { (event.name) }
                        @match &event.payload {
                            Payload::Json(text) => span.brief.mono { (json::brief(text, BRIEF_CHARS_MAX)) },
                            Payload::Raw { bytes, .. } => span.chip { "raw, " (format::bytes(bytes.len() as u64)) },
                        }
                    }
                }
                div.detail { (detail(event, link.base)) }
            }
        }
    }
}

fn detail(event: &EventRecord, base: &str) -> Markup {
    let metadata = &event.metadata;
    html! {
        @match &event.payload {
            Payload::Json(text) => (pretty(text)),
            Payload::Raw { bytes, reason } => {
                p.soft { "Its fields can't be shown: " (reason) }
                pre.json tabindex="0" { (hex(bytes)) }
            }
        }
        dl.facts.left {
            (fact("Event", &html! { code { (event.id) } }))
            (fact("Position", &html! {
                (format::count(event.position.offset.get())) " of shard " (event.position.shard.get())
                @if event.commit.0 < event.commit.1 {
                    ", in one commit with versions " (format::count(event.commit.0.get())) " to " (format::count(event.commit.1.get()))
                }
            }))
            (fact("Schema", &html! {
                "version " (event.schema.get()) ", " (format!("{:?}", event.codec).to_lowercase()) ", "
                (format::bytes(event.bytes as u64)) " stored"
                @if event.system { ", the runtime's own" }
            }))
            @if let Some(command) = &event.command {
                (fact("Command", &html! {
                    @if let Some(name) = command.name { (name) " " }
                    code { (command.id) }
                }))
            }
            @if let Some(correlation) = metadata.correlation {
                (fact("Correlation", &html! { code { (correlation) } }))
            }
            @if let Some(causation) = metadata.causation {
                (fact("Caused by", &html! {
                    a href=(links::to(base, "/event", &[("id", &causation.to_string())])) { code { (causation) } }
                }))
            }
            @if let Some(trace) = &metadata.trace {
                (fact("Trace", &html! { code { (trace) } }))
            }
            @for (key, value) in &metadata.headers {
                (fact(key, &html! { (value) }))
            }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes[..bytes.len().min(RAW_BYTES_MAX)].chunks(16).map(|line| {
        let pairs: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(" ")
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if bytes.len() > RAW_BYTES_MAX {
        text.push_str("\n…");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_aligned_and_the_last_one_is_full() {
        let start = |version, head| page_start(Version::new(version), Version::new(head)).get();
        assert_eq!(start(1, 100_000), 1);
        assert_eq!(start(50, 100_000), 1);
        assert_eq!(start(51, 100_000), 51);
        assert_eq!(start(100_000, 100_000), 99_951);
        assert_eq!(start(101, 101), 52);
        assert_eq!(start(100, 101), 51);
        assert_eq!(start(3, 3), 1);
        assert_eq!(start(1, 0), 1);
    }

    #[test]
    fn raw_bytes_are_shown_up_to_a_bound() {
        assert_eq!(hex(&[0, 255, 16]), "00 ff 10");
        assert!(hex(&[0; 4_096]).len() < 4 * RAW_BYTES_MAX);
    }
}
