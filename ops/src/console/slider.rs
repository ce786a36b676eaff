//! How one goes through an aggregate's versions: by a slider, a number, or a time.

use dormouse_domain::Version;
use dormouse_runtime::admin::EventsPage;
use maud::{Markup, html};

use crate::console::moment::Found;
use crate::console::time;
use crate::console::timeline::Link;
use crate::format;

/// At version `at`, whose event is on the page of `events`.
pub(crate) fn markup(link: &Link<'_>, at: Version, events: &EventsPage, found: Option<&Found>) -> Markup {
    let event = events.events.iter().find(|event| event.version == at);
    let written = match found {
        Some(found) => found.asked.clone(),
        None => event.map(|event| time::text(event.time)).unwrap_or_default(),
    };
    html! {
        div.slider {
            (versions(link, at.get(), events.head.get().max(1)))
            (moment(link, &written))
            p.found #found role="status" { @if let Some(found) = found { (found.markup()) } }
        }
    }
}

fn versions(link: &Link<'_>, at: u64, head: u64) -> Markup {
    html! {
        form #slider method="get" action={ (link.base) "/aggregate" } {
            (name(link))
            div.step #steps {
                (step(link, 1, at > 1, "|<", "First version (Home)"))
                (step(link, at - 1, at > 1, "<", "Version before (←)"))
                (step(link, at + 1, at < head, ">", "Version after (→)"))
                (step(link, head, at < head, ">|", "Last version (End)"))
            }
            input #range type="range" min="1" max=(head) value=(at) aria-label="Version" disabled[head == 1];
            div.step {
                label for="at" { "Version" }
                input #at type="number" name="at" min="1" max=(head) value=(at);
                noscript { button { "Show" } }
                span.when #of { "of " (format::count(head)) }
            }
        }
    }
}

/// The time of the version that is shown; another one leads to the version that was the newest then.
fn moment(link: &Link<'_>, written: &str) -> Markup {
    html! {
        form #moment method="get" action={ (link.base) "/aggregate" } {
            (name(link))
            div.step {
                label for="time" { "at" }
                input #time type="text" name="time" value=(written) placeholder="2026-01-31 23:59:59" size="23"
                    spellcheck="false" autocomplete="off" aria-label="Time, in UTC"
                    title="A day, or a time as exact as you know it, in UTC: Enter shows the version that was the newest then (w)";
                span.when { "UTC" }
                noscript { button { "Show" } }
            }
        }
    }
}

/// Which aggregate a form is about.
fn name(link: &Link<'_>) -> Markup {
    html! {
        input type="hidden" name="type" value=(link.aggregate_type);
        input type="hidden" name="id" value=(link.id);
    }
}

fn step(link: &Link<'_>, version: u64, there: bool, sign: &str, words: &str) -> Markup {
    html! {
        a.button href=(link.to(version)) data-version=(version) data-step=(sign) title=(words) aria-label=(words)
            aria-disabled=[(!there).then_some("true")] { (sign) }
    }
}
