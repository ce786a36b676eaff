//! How long something takes.

use std::time::Duration;

use dormouse_persistence::Distribution;
use serde::Serialize;
use utoipa::ToSchema;

/// How long something took, since the runtime started: seconds, to 6%; the longest is exact. All 0 where
/// nothing was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Times {
    /// How many were recorded.
    pub(crate) count: u64,
    /// Half of them took no longer.
    pub(crate) p50_seconds: f64,
    /// Nine in ten took no longer.
    pub(crate) p90_seconds: f64,
    /// 99 in a hundred took no longer.
    pub(crate) p99_seconds: f64,
    /// The longest.
    pub(crate) max_seconds: f64,
}

impl Times {
    pub(crate) fn of(times: &Distribution) -> Self {
        let seconds = |share| times.quantile_time(share).as_secs_f64();
        Self {
            count: times.count(),
            p50_seconds: seconds(0.5),
            p90_seconds: seconds(0.9),
            p99_seconds: seconds(0.99),
            max_seconds: Duration::from_nanos(times.max()).as_secs_f64(),
        }
    }
}
