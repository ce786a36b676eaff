//! What every page has around it.

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use maud::{DOCTYPE, Markup, html};

use crate::console::assets;
use crate::console::standing::Standing;
use crate::guard::{LOGIN, LOGOUT};

/// A place in the navigation. Its key is pressed after `g`.
struct Place {
    path: &'static str,
    name: &'static str,
    key: char,
}

/// Groups of the navigation. What a later part of Dormouse shows has its group here.
const GROUPS: &[(&str, &[Place])] = &[
    (
        "Runtime",
        &[
            Place {
                path: "/",
                name: "Overview",
                key: 'o',
            },
            Place {
                path: "/aggregates",
                name: "Aggregates",
                key: 'a',
            },
        ],
    ),
    (
        "Storage",
        &[
            Place {
                path: "/store",
                name: "Store",
                key: 's',
            },
            Place {
                path: "/jobs",
                name: "Jobs",
                key: 'j',
            },
        ],
    ),
];

/// What else can be pressed.
const KEYS: &[(&str, &str)] = &[
    ("/", "search aggregates"),
    ("←  →", "version before, version after"),
    ("Home  End", "first version, last version"),
    ("w", "the version at a time: when"),
    ("t", "light, dark, or as the system has it"),
    ("?", "this list"),
    ("Esc", "close"),
];

/// A page at a place of the navigation; `logged_in` if there is a session to end.
pub(crate) fn page(
    base: &str,
    now: &Standing,
    here: &str,
    title: &str,
    logged_in: bool,
    content: &Markup,
) -> HttpResponse {
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        header.side {
            a.brand href=(at(base, "/")) {
                (mark())
                span { "Dormouse" }
            }
            nav aria-label="Console" {
                @for (group, places) in GROUPS {
                    section {
                        h2 { (group) }
                        @for place in *places {
                            a href=(at(base, place.path)) data-key=(place.key)
                                aria-current=[(place.path == here).then_some("page")] { (place.name) }
                        }
                    }
                }
            }
            div.foot {
                (pill(now))
                div.tools {
                    button.quiet type="button" data-theme-button="" title="Light or dark (t)" { "Theme" }
                    button.quiet type="button" data-keys-button="" title="Keys (?)" { "Keys" }
                    @if logged_in {
                        form method="post" action={ (base) (LOGOUT) } { button.quiet { "Log out" } }
                    }
                }
            }
        }
        div.page {
            (banners(base, now))
            main #main tabindex="-1" { (content) }
        }
        (keys())
        (question())
    };
    answer(document(base, title, true, &body))
}

/// A page without navigation: before login, and for errors.
pub(crate) fn bare(base: &str, title: &str, content: &Markup) -> Markup {
    let body = html! {
        main.bare #main {
            a.brand href=(at(base, "/")) { (mark()) span { "Dormouse" } }
            (content)
        }
    };
    document(base, title, false, &body)
}

fn answer(document: Markup) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .body(document.into_string())
}

fn document(base: &str, title: &str, live: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-base=(base) data-folder=(*assets::FOLDER) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Dormouse" }
                link rel="icon" type="image/svg+xml" href=(assets::path(base, "mark.svg"));
                link rel="stylesheet" href=(assets::path(base, "console.css"));
                link rel="stylesheet" href=(assets::path(base, "panes.css"));
                script src=(assets::path(base, "theme.js")) {}
                @if live {
                    script type="module" src=(assets::path(base, "console.js")) {}
                }
            }
            body { (body) }
        }
    }
}

/// A link's target, wherever the console is mounted.
pub(crate) fn at(base: &str, path: &str) -> String {
    format!("{base}{path}")
}

/// The head of every page: its title, a lead below it, and what can be done at the right.
pub(crate) fn heading(title: &str, lead: &Markup, doing: &Markup) -> Markup {
    html! {
        div.heading {
            div {
                h1 { (title) }
                (lead)
            }
            @if !doing.0.is_empty() { div.doing { (doing) } }
        }
    }
}

/// A page's lead where there is nothing better to say: whether commands are taken, and if not, why.
pub(crate) fn standing_line(standing: &Standing) -> Markup {
    html! {
        p.lead data-standing-line="" data-kind=(standing.kind) {
            strong { (standing.word) } " " span { (standing.reason) }
        }
    }
}

/// What is said above a page, when there is reason to: shown and hidden by the scripts.
fn banners(base: &str, now: &Standing) -> Markup {
    html! {
        div.banner #trouble role="alert" hidden[now.kind != "bad"] {
            strong { (now.word) } " " span { (now.reason) }
        }
        div.banner #offline role="alert" hidden {
            strong { "Disconnected." } " " span {} " "
            button type="button" { "Try now" }
        }
        div.banner #ended role="alert" hidden {
            strong { "Your session has ended." } " " span {} " "
            a.button href={ (base) (LOGIN) } { "Log in" }
        }
    }
}

fn pill(standing: &Standing) -> Markup {
    html! {
        p.standing #standing data-kind=(standing.kind) title=(standing.reason) {
            i {} span { (standing.word) }
        }
    }
}

/// A dormouse asleep: its back, its tail around it, an ear.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" {
            path.fur d="M16 4a12 12 0 1 0 12 12c0-1.6-.3-3-.9-4.4A6 6 0 0 0 20.4 4.8 12 12 0 0 0 16 4Z" {}
            path.line d="M6.5 21.5c4.5 5 13.500 5 17-1 2.500-4.500-.5-9.500-5-9.500-3.500 0-6 2.500-6 5.500 0 2.600 2 4.500 4.500 4.500" {}
            circle.fur cx="24.300" cy="7.700" r="4.200" {}
        }
    }
}

fn keys() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            dl.keys {
                @for (_, places) in GROUPS {
                    @for place in *places {
                        dt { kbd { "g" } " " kbd { (place.key) } }
                        dd { (place.name) }
                    }
                }
                @for (key, does) in KEYS {
                    dt { @for key in key.split("  ") { kbd { (key) } " " } }
                    dd { (does) }
                }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// Asked before anything is done.
fn question() -> Markup {
    html! {
        dialog #question aria-labelledby="question-title" {
            h2 #question-title {}
            p {}
            form method="dialog" {
                button value="no" { "Cancel" }
                button.primary value="yes" {}
            }
        }
        div.told #told role="status" aria-live="polite" {}
    }
}
