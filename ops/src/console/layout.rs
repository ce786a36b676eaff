//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

pub(crate) fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Dormouse" }
            }
            body { main { (content) } }
        }
    }
}
