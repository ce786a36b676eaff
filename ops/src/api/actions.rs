//! What is done to one aggregate, at once.

use actix_web::web::{Data, Json, Path};
use dormouse_domain::StreamId;

use crate::api::asked::{self, StreamPath};
use crate::api::views::{PassivatedView, SnapshotView};
use crate::attached::Attached;
use crate::problem::Problem;

/// Takes an aggregate out of memory, unless something is in flight to it.
#[utoipa::path(post, path = "/api/v1/streams/{type}/{id}/passivate", tag = "actions", operation_id = "passivate",
    params(StreamPath),
    responses((status = 200, description = "What became of it", body = PassivatedView)))]
pub(crate) async fn passivate(
    attached: Data<Attached>,
    path: Path<StreamPath>,
) -> Result<Json<PassivatedView>, Problem> {
    passivate_of(&attached, &StreamPath::stream(path)?).await
}

pub(super) async fn passivate_of(
    attached: &Data<Attached>,
    stream: &StreamId,
) -> Result<Json<PassivatedView>, Problem> {
    let passivated = asked::admin(attached)?.passivate(stream).await?;
    Ok(Json(PassivatedView::of(passivated)))
}

/// Stores a snapshot of an aggregate's durable state: its next activation is read from there.
#[utoipa::path(post, path = "/api/v1/streams/{type}/{id}/snapshot", tag = "actions", operation_id = "snapshot",
    params(StreamPath),
    responses((status = 200, description = "The snapshot", body = SnapshotView)))]
pub(crate) async fn snapshot(
    attached: Data<Attached>,
    path: Path<StreamPath>,
) -> Result<Json<SnapshotView>, Problem> {
    snapshot_of(&attached, &StreamPath::stream(path)?).await
}

pub(super) async fn snapshot_of(
    attached: &Data<Attached>,
    stream: &StreamId,
) -> Result<Json<SnapshotView>, Problem> {
    let taken = asked::admin(attached)?.snapshot(stream).await?;
    Ok(Json(SnapshotView {
        version: taken.version.get(),
        bytes: taken.bytes as u64,
    }))
}
