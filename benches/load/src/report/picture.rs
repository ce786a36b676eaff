//! The rates that say most, as one picture for a README: an SVG with its own background, since the page around it may be
//! dark or light.

use std::fmt::Write;

use super::html::escape;
use crate::range::Range;
use crate::summary::{About, Summary};
use crate::units::count;

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 32.0;
/// Where the bars begin, their names to the left ...
const BARS_LEFT: f64 = 284.0;
/// ... and how long the longest may be, its rate to the right.
const BARS_WIDTH: f64 = 450.0;
const BARS_TOP: f64 = 98.0;
const BAR_HEIGHT: f64 = 22.0;
const ROW_HEIGHT: f64 = 36.0;
const GROUP_GAP: f64 = 14.0;
/// Half the height of a range's ends.
const TICK: f64 = 4.0;
/// A shorter range would be nothing but its ends.
const RANGE_WIDTH_MIN: f64 = 4.0;
const TEXT_GAP: f64 = 10.0;
/// A text of one line is squeezed beyond so many characters, which fill the width.
const FOOT_CHARS_MAX: usize = 136;

const PROGRAM: &str = "#2f6fde";
const LIMIT: &str = "#a8b0bd";
const PEER: &str = "#d9622b";

/// Scenario, name and colour. A gap parts the colours.
const SHOWN: [(&str, &str, &str); 6] = [
    ("spread-512", "spread, 512 clients", PROGRAM),
    ("hot-512", "one aggregate (hot), 512 clients", PROGRAM),
    ("zipf", "zipf, a tenth in memory", PROGRAM),
    ("l2", "L2: rows by hand in RocksDB", LIMIT),
    ("l1", "L1: log segments by hand", LIMIT),
    ("cqrs-spread-512", "cqrs-es + PostgreSQL, 512 clients", PEER),
];

/// The picture, or nothing if none of its scenarios was measured.
pub(crate) fn picture(summary: &Summary) -> Option<String> {
    let bars: Vec<(&str, &str, Range)> = SHOWN
        .iter()
        .filter_map(|(scenario, name, colour)| {
            let rates = &summary.scenarios.get(*scenario)?.range;
            Some((*name, *colour, *rates.get("commands_per_s")?))
        })
        .collect();
    let most = bars.iter().map(|bar| bar.2.max).reduce(f64::max)?;
    let (mut rows, mut top, mut before) = (String::new(), BARS_TOP, bars[0].1);
    for (name, colour, rate) in bars {
        if colour != before {
            top += GROUP_GAP;
        }
        before = colour;
        rows += &row(name, colour, top, rate, BARS_WIDTH / most.max(1.0));
        top += ROW_HEIGHT;
    }
    Some(frame(&rows, top, &foot(&summary.about)))
}

fn row(name: &str, colour: &str, top: f64, rate: Range, scale: f64) -> String {
    let (middle, right) = (top + BAR_HEIGHT / 2.0, |rate: f64| BARS_LEFT + rate * scale);
    let mut out = format!(
        "<text class=\"name\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>\
         <rect x=\"{BARS_LEFT:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR_HEIGHT}\" rx=\"3\" fill=\"{colour}\"/>",
        BARS_LEFT - TEXT_GAP,
        escape(name),
        (rate.median * scale).max(2.0)
    );
    if (rate.max - rate.min) * scale >= RANGE_WIDTH_MIN {
        let (from, to) = (right(rate.min), right(rate.max));
        let _ = write!(
            out,
            "<path class=\"range\" d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {0:.1}v{1}M{to:.1} {0:.1}v{1}\"/>",
            middle - TICK,
            2.0 * TICK
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"rate\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
        right(rate.max) + TEXT_GAP,
        count(rate.median)
    );
    out
}

fn frame(rows: &str, bars_bottom: f64, foot: &str) -> String {
    let (rule, below) = (bars_bottom + 8.0, bars_bottom + 32.0);
    let height = below + 22.0;
    let squeezed = if foot.chars().count() > FOOT_CHARS_MAX {
        format!(
            " textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"",
            WIDTH - 2.0 * MARGIN
        )
    } else {
        String::new()
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{TITLE}</title>\n<style>{STYLE}</style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"14\" fill=\"#ffffff\" stroke=\"#e4e2dc\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"46\">{TITLE}</text>\n\
         <text class=\"soft\" x=\"{MARGIN}\" y=\"71\"><tspan fill=\"{PROGRAM}\">■</tspan> Dormouse\
         <tspan dx=\"18\" fill=\"{LIMIT}\">■</tspan> limits of the same machine, measured in the same run\
         <tspan dx=\"18\" class=\"ink\">├─┤</tspan> least to most of all runs; bars are medians</text>\n{rows}\
         <path d=\"M{MARGIN} {rule}H{}\" stroke=\"#ecebe6\"/>\n\
         <text class=\"foot\" x=\"{MARGIN}\" y=\"{below}\"{squeezed}>{}</text>\n</svg>\n",
        WIDTH - 1.0,
        height - 1.0,
        WIDTH - MARGIN,
        escape(foot)
    )
}

/// What the figures hold for.
fn foot(about: &About) -> String {
    let machine = &about.machine;
    format!(
        "{}, {} cores, {:.0} GiB, {} · {} · {}",
        machine.processor,
        machine.cores,
        machine.memory_mib as f64 / 1_024.0,
        machine.file_system,
        about.durability,
        about.date.get(..10).unwrap_or(&about.date)
    )
}

const TITLE: &str = "Durable commands a second";

const STYLE: &str = "text{font-family:Inter,'Segoe UI',system-ui,-apple-system,'Helvetica Neue','Noto Sans',sans-serif;\
    font-size:14px;fill:#1d2330}.title{font-size:21px;font-weight:600}.soft{font-size:12.5px;fill:#667085}\
    .ink{fill:#1d2330;font-size:9px}.foot{font-size:12px;fill:#667085}.name{text-anchor:end}.rate{font-weight:600}\
    .name,.rate{dominant-baseline:central}.range{fill:none;stroke:#1d2330;stroke-opacity:.6;stroke-width:1.5}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Round;

    const JSON: &str = r#"{
        "about": {
            "date": "2026-11-21T23:37:21Z", "size": "short", "durability": "fsync <each>", "settings": "", "generator": "",
            "seed": 1,
            "machine": {
                "processor": "AMD EPYC", "cores": 2, "memory_mib": 24105, "kernel": "6", "file_system": "ext4",
                "profile": "release", "load_before": 0.5
            }
        },
        "scenarios": {
            "spread-512": {
                "runs": 3, "commands_per_s": 300000.0,
                "range": { "commands_per_s": { "min": 200000.0, "median": 300000.0, "max": 400000.0 } }
            },
            "l2": {
                "runs": 1, "commands_per_s": 100000.0,
                "range": { "commands_per_s": { "min": 100000.0, "median": 100000.0, "max": 100000.0 } }
            }
        }
    }"#;

    #[test]
    fn a_summary_from_a_file_is_drawn_to_scale() {
        let svg = picture(&Summary::from_json(JSON).unwrap()).unwrap();
        for wanted in [
            "spread, 512 clients",
            ">300,000<",
            "width=\"337.5\"",
            "L2: rows by hand in RocksDB",
            "width=\"112.5\"",
            "AMD EPYC, 2 cores, 24 GiB, ext4 · fsync &lt;each&gt; · 2026-11-21",
        ] {
            assert!(svg.contains(wanted), "{wanted}: {svg}");
        }
        assert!(!svg.contains("cqrs"), "not measured");
        assert_eq!(
            svg.matches("<path class=\"range\"").count(),
            1,
            "one run has no range"
        );
    }

    #[test]
    fn without_its_scenarios_there_is_no_picture() {
        let about = Summary::from_json(JSON).unwrap().about;
        assert_eq!(picture(&Summary::new(about, &[Round::new()])), None);
    }
}
