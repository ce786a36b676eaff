//! The samples as one picture.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::{
    BLACK, BLUE, ChartBuilder, Color, IntoDrawingArea, LineSeries, RED, RGBColor, SVGBackend, WHITE,
};

use super::sample::Sample;

const SIZE: (u32, u32) = (960, 1_000);
const MB: f64 = 1e6;

/// One line: its name, its colour, and its value.
type Line = (&'static str, RGBColor, fn(&Sample) -> f64);

/// One above another: title and lines.
const PANELS: [(&str, &[Line]); 4] = [
    (
        "memory, MB: process (red), resident aggregates (blue), tail (black)",
        &[
            ("process", RED, |sample| sample.rss_bytes as f64 / MB),
            ("resident", BLUE, |sample| sample.resident_bytes as f64 / MB),
            ("tail", BLACK, |sample| sample.tail_bytes as f64 / MB),
        ],
    ),
    (
        "latency, ms: p99 (red), p50 (blue)",
        &[
            ("p99", RED, |sample| sample.p99_us as f64 / 1e3),
            ("p50", BLUE, |sample| sample.p50_us as f64 / 1e3),
        ],
    ),
    (
        "thousand commands a second",
        &[("rate", BLUE, |sample| sample.commands_per_s / 1e3)],
    ),
    (
        "files open (red), threads (black), disk bytes an event (blue)",
        &[
            ("files", RED, |sample| sample.files as f64),
            ("threads", BLACK, |sample| sample.threads as f64),
            ("disk", BLUE, |sample| sample.disk_bytes_per_event),
        ],
    ),
];

pub(crate) fn draw(samples: &[Sample], path: &Path) -> Result<()> {
    let Some(last) = samples.last() else { return Ok(()) };
    let minutes = last.at_s / 60.0;
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    for (area, (title, lines)) in root.split_evenly((PANELS.len(), 1)).iter().zip(PANELS) {
        let values = lines.iter().flat_map(|(_, _, of)| samples.iter().map(of));
        let top = values.fold(1.0, f64::max) * 1.05;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 15))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..minutes, 0.0..top)
            .map_err(|error| anyhow!("{error}"))?;
        chart
            .configure_mesh()
            .x_desc("minutes")
            .draw()
            .map_err(|error| anyhow!("{error}"))?;
        for (_, colour, of) in lines {
            let points = samples.iter().map(|sample| (sample.at_s / 60.0, of(sample)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(1)))
                .map_err(|error| anyhow!("{error}"))?;
        }
    }
    root.present().map_err(|error| anyhow!("{error}"))
}
