//! What takes a while, away from the one thread that answers everyone, health checks among them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use actix_web::web;

use crate::problem::Problem;

/// Runs what may look at a disk, or at millions of residents, or writes a long page. A panic in it is the caller's.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    match web::block(move || catch_unwind(AssertUnwindSafe(work))).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => Err(Problem::unavailable("the server is stopping")),
    }
}
