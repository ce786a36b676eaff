//! What the runtime's refusals are in HTTP.

use actix_web::http::StatusCode;
use dormouse_persistence::StoreError;
use dormouse_runtime::admin::AdminError;

use crate::problem::Problem;

/// When to ask again where too many ask at once.
const BUSY_S: u64 = 1;

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let text = error.to_string();
        match error {
            AdminError::UnknownType { .. } => Self::not_found(text).of("type"),
            AdminError::NoSuchVersion { version, head, .. } => Self::not_found(text)
                .of("version")
                .sizes(version.get(), head.get()),
            AdminError::Invalid {
                field,
                value_size,
                limit,
            } => Self::bad(field, text).sizes(value_size as u64, limit as u64),
            AdminError::Domain { .. } | AdminError::NotJson { .. } => Self::conflict(text),
            AdminError::Busy { .. } => Self {
                retry_after_s: Some(BUSY_S),
                ..Self::unavailable(text)
            },
            AdminError::Store(error) => error.into(),
            _ => Self::unavailable(text),
        }
    }
}

impl From<StoreError> for Problem {
    /// Nothing that the asker could mend: the store is closed or damaged, or the disk fails.
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}
