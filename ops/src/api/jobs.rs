//! Starting jobs, following and cancelling them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{self, Bytes, Data, Json, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use dormouse_domain::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::asked;
use crate::api::views::{JobView, Jobs as JobsView};
use crate::attached::Attached;
use crate::guard::Access;
use crate::jobs::{Job, JobId, Jobs, NotStarted, Work};
use crate::problem::Problem;

/// A directory's name: within what every file system takes.
const NAME_BYTES_MAX: usize = 100;

/// What a checkpoint is called.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointAsked {
    /// A directory of this name is made below the backup root: letters, digits, `-`, `_` and `.`, not first a `.`.
    /// Default: the time, `2026-01-31T235959Z`.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    name: Option<String>,
}

/// A job.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct JobPath {
    /// Its id.
    #[param(value_type = u64, minimum = 0)]
    id: String,
}

/// Makes a copy of the running store, in a new directory below the configured backup root.
#[utoipa::path(post, path = "/api/v1/checkpoint", tag = "jobs", operation_id = "checkpoint",
    request_body(content = Option<CheckpointAsked>, description = "May be left out"),
    responses((status = 202, description = "It runs", body = JobView, headers(("Location" = String)))))]
pub(crate) async fn checkpoint(
    request: HttpRequest,
    attached: Data<Attached>,
    jobs: Data<Jobs>,
    access: ReqData<Access>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let asked: CheckpointAsked = json_or_default(&request, &body)?;
    let Some(root) = &attached.backup_root else {
        return Err(Problem::conflict(
            "no backup root is configured: `backup_root` in the ops builder",
        ));
    };
    let directory = directory(root, asked.name)?;
    let runtime = asked::runtime(&attached)?;
    start(&attached, &jobs, &access, Work::Checkpoint { runtime, directory })
}

/// Merges the sorted runs of the index into one a family. Never needed; worth it after a rebuild, in a quiet hour.
#[utoipa::path(post, path = "/api/v1/compact", tag = "jobs", operation_id = "compact",
    responses((status = 202, description = "It runs", body = JobView, headers(("Location" = String)))))]
pub(crate) async fn compact(
    attached: Data<Attached>,
    jobs: Data<Jobs>,
    access: ReqData<Access>,
) -> Result<HttpResponse, Problem> {
    let runtime = asked::runtime(&attached)?;
    start(&attached, &jobs, &access, Work::Compact { runtime })
}

/// Takes no more commands, finishes what is in flight, passivates all. Only a restart of the service takes commands again.
#[utoipa::path(post, path = "/api/v1/drain", tag = "jobs", operation_id = "drain",
    responses((status = 202, description = "It runs", body = JobView, headers(("Location" = String)))))]
pub(crate) async fn drain(
    attached: Data<Attached>,
    jobs: Data<Jobs>,
    access: ReqData<Access>,
) -> Result<HttpResponse, Problem> {
    let runtime = asked::runtime(&attached)?;
    start(&attached, &jobs, &access, Work::Drain { runtime })
}

/// The jobs of this process, newest first: at most 50.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", operation_id = "jobs",
    responses((status = 200, description = "The jobs that are kept", body = JobsView)))]
pub(crate) async fn all(jobs: Data<Jobs>) -> Json<JobsView> {
    let jobs = jobs.all();
    Json(JobsView {
        jobs: jobs.iter().map(|job| JobView::of(job)).collect(),
    })
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "job", params(JobPath),
    responses((status = 200, description = "The job", body = JobView)))]
pub(crate) async fn one(jobs: Data<Jobs>, path: web::Path<JobPath>) -> Result<Json<JobView>, Problem> {
    Ok(Json(JobView::of(&*found(&jobs, &path)?)))
}

/// Asks a job to give up at its next step. One that is over stays as it is.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancel",
    params(JobPath),
    responses((status = 200, description = "The job", body = JobView)))]
pub(crate) async fn cancel(jobs: Data<Jobs>, path: web::Path<JobPath>) -> Result<Json<JobView>, Problem> {
    let job = found(&jobs, &path)?;
    if !job.cancel() {
        return Err(Problem::conflict(format!("a {} can't be cancelled", job.kind)));
    }
    Ok(Json(JobView::of(&job)))
}

fn found(jobs: &Jobs, JobPath { id }: &JobPath) -> Result<Arc<Job>, Problem> {
    let job = asked::whole(id).and_then(|id| jobs.find(JobId(id)));
    job.ok_or_else(|| Problem::not_found(format!("no job {id}: it never was, or is forgotten")).of("id"))
}

fn start(attached: &Attached, jobs: &Jobs, access: &Access, work: Work) -> Result<HttpResponse, Problem> {
    let job = jobs.start(work, &access.who).map_err(|error| match error {
        NotStarted::Runs(_) => Problem::conflict(error.to_string()),
        NotStarted::NoThread(_) => Problem::unavailable(error.to_string()),
    })?;
    let place = format!("{}/api/v1/jobs/{}", attached.base, job.id);
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, place))
        .json(JobView::of(&job)))
}

/// A body may be left out; one that is there is JSON, and says so.
fn json_or_default<T: Default + for<'de> Deserialize<'de>>(
    request: &HttpRequest,
    body: &[u8],
) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::content_type(request.headers(), "application/json"));
    }
    let asked: Option<T> =
        serde_json::from_slice(body).map_err(|error| Problem::bad("body", error.to_string()))?;
    Ok(asked.unwrap_or_default())
}

/// A new directory just below `root`: nothing in the name leads elsewhere.
fn directory(root: &Path, name: Option<String>) -> Result<PathBuf, Problem> {
    let name = name.unwrap_or_else(|| this_moment(SystemTime::now().into()));
    let bytes = name.len();
    if !(1..=NAME_BYTES_MAX).contains(&bytes) {
        return Err(
            Problem::bad("name", "a name has 1 to 100 characters").sizes(bytes as u64, NAME_BYTES_MAX as u64)
        );
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(Problem::bad(
            "name",
            "a name is made of letters, digits, -, _ and ., and begins with no dot",
        ));
    }
    let directory = root.join(&name);
    if directory.symlink_metadata().is_ok() {
        return Err(Problem::conflict(format!("{name} is there already")).of("name"));
    }
    Ok(directory)
}

/// As a directory's name: `2026-01-31T235959Z`.
fn this_moment(now: Timestamp) -> String {
    let text = now.to_string();
    let seconds = text.split('.').next().unwrap_or(&text);
    seconds.replace(':', "") + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_stays_below_the_backup_root() {
        let root = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(root.path().join("there")).unwrap();
        let place = |name: &str| directory(root.path(), Some(name.into())).map_err(|problem| problem.status);
        assert_eq!(place("monday-1.2"), Ok(root.path().join("monday-1.2")));
        assert_eq!(place("there"), Err(409));
        let long = "a".repeat(101);
        for name in [
            "", ".", "..", "../up", "/etc", "a/b", "a\\b", "a\0", "ä", ".hidden", " ", &long,
        ] {
            assert_eq!(place(name), Err(400), "{name:?}");
        }
    }

    #[test]
    fn without_a_name_it_is_called_by_the_time() {
        let time: Timestamp = "2026-01-31T23:59:59.999999Z".parse().unwrap();
        assert_eq!(this_moment(time), "2026-01-31T235959Z");
    }
}
