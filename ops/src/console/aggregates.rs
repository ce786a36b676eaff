//! Aggregates: which types there are, who is in memory, and a search of all that are stored.

use actix_web::HttpResponse;
use actix_web::web::Query;
use dormouse_domain::{AggregateId, AggregateType};
use dormouse_persistence::StreamSummary;
use dormouse_runtime::Admin;
use dormouse_runtime::admin::{
    AggregateTypeInfo, ResidentOrder, ResidentsFound, ResidentsWanted, StreamsWanted,
};
use maud::{Markup, html};
use serde::Deserialize;

use crate::aside::aside;
use crate::console::page::Page;
use crate::console::{layout, links};
use crate::format;
use crate::problem::Problem;

const HERE: &str = "/aggregates";
const TITLE: &str = "Aggregates";
/// Of who is in memory.
const RESIDENTS_SHOWN: usize = 25;
/// Streams on a page.
const STREAMS_SHOWN: usize = 50;
/// How often who is in memory is asked anew.
const REFRESH_MS: u32 = 2_000;

const ORDERS: [(&str, &str, ResidentOrder); 3] = [
    ("hottest", "hottest", ResidentOrder::Hottest),
    ("largest", "largest", ResidentOrder::Largest),
    ("oldest", "oldest", ResidentOrder::Oldest),
];

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default, rename = "type")]
    aggregate_type: String,
    /// How the ids begin.
    #[serde(default)]
    prefix: String,
    /// The last id of the page before.
    #[serde(default)]
    after: String,
    #[serde(default)]
    order: String,
}

pub(crate) async fn page(page: Page, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let Some(admin) = page.runtime().map(|runtime| runtime.admin()) else {
        return Ok(page.opening(HERE, TITLE));
    };
    let types = admin.aggregate_types();
    let searched = !asked.aggregate_type.is_empty() || !asked.prefix.is_empty();
    let found = if searched {
        Some(search(&admin, &types, &asked).await)
    } else {
        None
    };
    let wanted = residents_wanted(&asked);
    let residents = aside(move || admin.residents(&wanted)).await?;
    let lead = html! {
        p.lead {
            (format::plural(residents.matching as u64, "aggregate", "aggregates")) " in memory"
            @if searched { ", of those searched for" }
        }
    };
    let content = html! {
        (layout::heading(TITLE, &lead, &html! {}))
        (form(page.base(), &types, &asked))
        div.columns {
            div.stack {
                @if let Some(found) = &found { (stored(page.base(), &asked, found)) }
                (all_types(page.base(), &types))
            }
            section.sheet #residents data-refresh-ms=(REFRESH_MS) {
                (in_memory(page.base(), &asked, &residents))
            }
        }
    };
    Ok(page.show(HERE, TITLE, &content))
}

/// Streams found, and whether there are more.
type Found = Result<(Vec<StreamSummary>, bool), String>;

/// In one type, or in all of them.
async fn search(admin: &Admin, types: &[AggregateTypeInfo], asked: &Asked) -> Found {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let names = match asked.aggregate_type.as_str() {
        "" => types.iter().map(|known| known.name.to_owned()).collect(),
        name => vec![name.to_owned()],
    };
    let after = match asked.after.as_str() {
        "" => None,
        id => Some(AggregateId::try_from(id).map_err(|error| said(&error))?),
    };
    let (mut streams, mut more) = (Vec::new(), false);
    for name in names {
        let mut wanted = StreamsWanted::of(AggregateType::new(name).map_err(|error| said(&error))?);
        wanted.id_prefix.clone_from(&asked.prefix);
        wanted.after.clone_from(&after);
        wanted.limit = STREAMS_SHOWN;
        let page = admin.streams(&wanted).await.map_err(|error| said(&error))?;
        streams.extend(page.streams);
        more |= page.more;
    }
    Ok((streams, more))
}

fn residents_wanted(asked: &Asked) -> ResidentsWanted {
    ResidentsWanted {
        aggregate_type: AggregateType::new(asked.aggregate_type.clone()).ok(),
        id_prefix: asked.prefix.clone(),
        order: order(asked),
        limit: RESIDENTS_SHOWN,
    }
}

fn order(asked: &Asked) -> ResidentOrder {
    let known = ORDERS.iter().find(|(name, ..)| *name == asked.order);
    known.map_or(ResidentOrder::Hottest, |(.., order)| *order)
}

fn form(base: &str, types: &[AggregateTypeInfo], asked: &Asked) -> Markup {
    html! {
        form.search method="get" action={ (base) (HERE) } role="search" {
            select name="type" aria-label="Type" {
                option value="" { "any type" }
                @for known in types {
                    option value=(known.name) selected[known.name == asked.aggregate_type] { (known.name) }
                }
            }
            input type="search" name="prefix" value=(asked.prefix) placeholder="id, or how it begins" aria-label="Id"
                autocomplete="off" spellcheck="false" data-search="";
            button.primary { "Search" }
        }
    }
}

fn stored(base: &str, asked: &Asked, found: &Found) -> Markup {
    html! {
        section.sheet #stored {
            header { h2 { "Stored" } span.note { "in the order of their ids" } }
            @match found {
                Err(error) => p.empty { "This can't be searched for: " (error) },
                Ok((streams, _)) if streams.is_empty() => p.empty { "There is none whose id begins so." },
                Ok((streams, more)) => {
                    div.scroll {
                        table {
                            thead { tr { th { "Type" } th { "Id" } th.num { "Events" } } }
                            tbody { @for found in streams {
                                tr {
                                    td { (found.stream.aggregate_type) }
                                    td.id { (name(base, found.stream.aggregate_type.as_str(), found.stream.id.as_str())) }
                                    td.num { (format::count(found.head.get())) }
                                }
                            } }
                        }
                    }
                    @if *more { (next_page(base, asked, streams)) }
                }
            }
        }
    }
}

fn next_page(base: &str, asked: &Asked, streams: &[StreamSummary]) -> Markup {
    let last = streams.last().map_or("", |found| found.stream.id.as_str());
    let parameters = [
        ("type", asked.aggregate_type.as_str()),
        ("prefix", &asked.prefix),
        ("after", last),
    ];
    html! {
        div.pages {
            @if asked.aggregate_type.is_empty() {
                span.note { "There are more: choose a type to page through them." }
            } @else {
                a.button rel="next" href=(links::to(base, HERE, &parameters)) { "More" }
            }
        }
    }
}

fn all_types(base: &str, types: &[AggregateTypeInfo]) -> Markup {
    html! {
        section.sheet {
            header { h2 { "Types" } span.note { "as this program knows them" } }
            @if types.is_empty() { p.empty { "No aggregate is registered." } }
            @else {
                div.scroll {
                    table {
                        thead { tr { th { "Type" } th { "Events" } th.num { "State" } th.num { "In memory" } } }
                        tbody { @for known in types {
                            tr {
                                td { a href=(links::to(base, HERE, &[("type", known.name)])) { (known.name) } }
                                td.soft { @for (at, event) in known.events.iter().enumerate() {
                                    @if at > 0 { ", " }
                                    (event.name)
                                    @if event.version.get() > 1 { small { " v" (event.version.get()) } }
                                } }
                                td.num { "v" (known.state_version) " " small { (format!("{:?}", known.codec).to_lowercase()) } }
                                td.num { (format::count(known.residents as u64)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn in_memory(base: &str, asked: &Asked, found: &ResidentsFound) -> Markup {
    html! {
        header {
            h2 { "In memory" }
            div.tabs role="navigation" aria-label="Order" {
                @for (key, words, this) in ORDERS {
                    a href=(links::to(base, HERE, &[("type", &asked.aggregate_type), ("prefix", &asked.prefix), ("order", key)]))
                        aria-current=[(this == order(asked)).then_some("true")] { (words) }
                }
            }
        }
        @if found.residents.is_empty() { p.empty { "None is in memory." } }
        @else {
            div.scroll {
                table {
                    thead { tr {
                        th { "Type" } th { "Id" } th.num { "Commands" } th.num { "Memory" } th.num { "Awake" } th.num { "Idle" }
                    } }
                    tbody { @for resident in &found.residents {
                        tr {
                            td { (resident.stream.aggregate_type) }
                            td.id { (name(base, resident.stream.aggregate_type.as_str(), resident.stream.id.as_str())) }
                            td.num { (format::count(resident.commands.into())) }
                            td.num { (format::bytes(resident.bytes as u64)) }
                            td.num { (format::whole(resident.awake)) }
                            td.num { (format::whole(resident.idle)) }
                        }
                    } }
                }
            }
            @if found.matching > found.residents.len() {
                div.pages { span.note { "the first " (found.residents.len()) " of " (format::count(found.matching as u64)) } }
            }
        }
    }
}

fn name(base: &str, aggregate_type: &str, id: &str) -> Markup {
    html! { a href=(links::aggregate(base, aggregate_type, id, None)) { (id) } }
}
