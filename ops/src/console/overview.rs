//! What it does and holds, at a glance.

use actix_web::web::{Data, Html};
use maud::html;

use crate::attached::Attached;
use crate::console::layout;

pub(crate) async fn page(attached: Data<Attached>) -> Html {
    let content = match attached.runtime() {
        None => html! { p { "The store is being opened." } },
        Some(runtime) => html! { p { (runtime.statistics().residents) " aggregates in memory" } },
    };
    Html::new(layout::page("Overview", &content).into_string())
}
