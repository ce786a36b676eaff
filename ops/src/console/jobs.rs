//! Jobs: what runs, how far it has come, and how what is over ended.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use maud::{Markup, html};

use crate::console::page::Page;
use crate::console::{acts, layout, time};
use crate::format;
use crate::jobs::{Job, JobState, Jobs};

const HERE: &str = "/jobs";
const TITLE: &str = "Jobs";
/// How often they are asked anew.
const REFRESH_MS: u32 = 1_000;

pub(crate) async fn page(page: Page, jobs: Data<Jobs>) -> HttpResponse {
    let jobs = jobs.all();
    let lead = html! {
        p.lead { "Work that takes longer than a request. The last 50 are kept until the process ends." }
    };
    let content = html! {
        (layout::heading(TITLE, &lead, &acts::of_store(&page)))
        section.sheet #jobs data-refresh-ms=(REFRESH_MS) { (list(&page, &jobs)) }
    };
    page.show(HERE, TITLE, &content)
}

fn list(page: &Page, jobs: &[Arc<Job>]) -> Markup {
    html! {
        @if jobs.is_empty() {
            p.empty.first { "No job was started in this process." }
        } @else {
            div.scroll {
                table.jobs {
                    thead { tr { th.num { "No." } th { "Job" } th { "State" } th { "Begun, UTC" } th.num { "Took" } th { "By" } th {} } }
                    tbody { @for job in jobs { (self::job(page, job)) } }
                }
            }
        }
    }
}

fn job(page: &Page, job: &Job) -> Markup {
    html! {
        tr {
            td.num { (job.id) }
            td.id { strong { (job.kind) } br; span.soft { (job.what) } }
            td.id { (state(job)) }
            td.time { (time::to_the_second(job.started)) }
            td.num { (format::duration(job.took())) }
            td { (job.who) }
            td.num {
                @if page.may_act && job.is_running() { (acts::of_job(page.base(), job)) }
            }
        }
    }
}

fn state(job: &Job) -> Markup {
    match job.state() {
        JobState::Running => running(job),
        JobState::Done(outcome) => html! { span.chip { "done" } " " (outcome) },
        JobState::Failed(reason) => html! { span.chip.bad { "failed" } " " (reason) },
        JobState::Cancelled => html! { span.chip { "cancelled" } },
    }
}

fn running(job: &Job) -> Markup {
    let progress = job.progress();
    let word = if job.is_cancelled() {
        "giving up"
    } else {
        "running"
    };
    html! {
        span.chip.awake { (word) } " " (progress.step)
        @if progress.bytes_total > 0 {
            progress value=(progress.bytes) max=(progress.bytes_total) {}
            small { (format::bytes(progress.bytes)) " of " (format::bytes(progress.bytes_total)) }
        } @else if progress.bytes > 0 {
            " " small { (format::bytes(progress.bytes)) }
        }
    }
}
