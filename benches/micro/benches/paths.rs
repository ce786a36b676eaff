//! The paths by the clock: `cargo bench -p micro --bench paths`.
//!
//! The in-memory store keeps what is written to it, so each measurement is short.

use std::time::{Duration, Instant};

use criterion::Criterion;
use micro::Path;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(1);

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASURED)
        .configure_from_args();
    for path in Path::ALL {
        let mut ready = None;
        criterion.bench_function(path.name(), |bencher| {
            let go = ready.get_or_insert_with(|| path.ready());
            bencher.iter_custom(|times| {
                let started = Instant::now();
                go(times);
                started.elapsed()
            });
        });
    }
    criterion.final_summary();
}
