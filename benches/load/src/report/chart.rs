//! One plot as SVG, whose colours are the page's.

use std::fmt::Write;

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, LineSeries, RGBColor, SVGBackend, ShapeStyle,
};
use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::html::escape;

const SIZE: (u32, u32) = (640, 300);
const LABEL_SIZE: i32 = 14;
const LABELS: usize = 6;

/// A plot of several lines.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) unit: &'a str,
    pub(super) lines: Vec<Line>,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

/// One line, in one of the page's series colours.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) points: Vec<(f64, f64)>,
}

/// How an axis is labelled. Values on a logarithmic one are given as logarithms, and only whole ones get a label.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) label: fn(f64) -> String,
    pub(super) whole_steps: bool,
    /// Where the axis begins if no value lies below.
    pub(super) from: Option<f64>,
    /// Whether it ends with the last value, where a whole step more would promise what was not measured.
    pub(super) ends_with_values: bool,
}

/// Plotters knows colours by number only; these are replaced by the page's variables afterwards.
const INK: RGBColor = RGBColor(1, 0, 101);
const GRID: RGBColor = RGBColor(1, 0, 102);

fn series(number: usize) -> RGBColor {
    RGBColor(1, 0, u8::try_from(number % 8).unwrap_or_default())
}

fn with_variables(svg: &str) -> String {
    let mut svg = svg
        .replace("#010065", "var(--soft)")
        .replace("#010066", "var(--grid)");
    for number in 0..8 {
        svg = svg.replace(&format!("#01000{number}"), &format!("var(--s{number})"));
    }
    svg
}

/// The plot with its title and legend, or nothing if there is nothing to draw.
pub(super) fn render(chart: &Chart<'_>) -> String {
    let Some(svg) = draw(chart) else {
        return String::new();
    };
    let mut out = format!(
        "<figure><figcaption>{}<small>{}</small></figcaption><div class=\"legend\">",
        escape(chart.title),
        escape(chart.unit)
    );
    for line in &chart.lines {
        let (colour, name) = (line.colour % 8, escape(&line.name));
        let _ = write!(out, "<span style=\"--colour:var(--s{colour})\">{name}</span>");
    }
    out + "</div>" + &svg + "</figure>"
}

fn draw(chart: &Chart<'_>) -> Option<String> {
    let points = || chart.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = range(points().map(|point| point.0), chart.x)?;
    let y = range(points().map(|point| point.1), chart.y)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut context = ChartBuilder::on(&area)
            .margin(6)
            .margin_right(34)
            .x_label_area_size(26)
            .y_label_area_size(58)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)
            .ok()?;
        let text: TextStyle<'_> = ("sans-serif", LABEL_SIZE).into_font().color(&INK);
        let label_x = |value: &f64| label(chart.x, *value);
        let label_y = |value: &f64| label(chart.y, *value);
        context
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(ShapeStyle::from(&GRID.mix(0.0)))
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text.pos(Pos::new(HPos::Center, VPos::Center)))
            .x_labels(labels(chart.x, x))
            .y_labels(labels(chart.y, y))
            .x_label_formatter(&label_x)
            .y_label_formatter(&label_y)
            .draw()
            .ok()?;
        for line in &chart.lines {
            let style = ShapeStyle::from(series(line.colour)).stroke_width(2);
            context
                .draw_series(LineSeries::new(line.points.iter().copied(), style))
                .ok()?;
        }
        area.present().ok()?;
    }
    let sized = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    Some(with_variables(&svg.replacen(&sized, "role=\"img\"", 1)))
}

fn label(axis: Axis, value: f64) -> String {
    if axis.whole_steps && (value - value.round()).abs() > 1e-6 {
        String::new()
    } else {
        (axis.label)(value)
    }
}

fn labels(axis: Axis, range: (f64, f64)) -> usize {
    if axis.whole_steps {
        (range.1 - range.0) as usize + 1
    } else {
        LABELS
    }
}

/// From the least to the most, with some air above; none for no or senseless values.
fn range(values: impl Iterator<Item = f64>, axis: Axis) -> Option<(f64, f64)> {
    const AIR: f64 = 1.06;
    let (least, most) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(value), most.max(value))
        });
    if least > most {
        return None;
    }
    let from = axis.from.map_or(least, |from| from.min(least));
    if axis.whole_steps {
        let to = if axis.ends_with_values { most } else { most.ceil() };
        return Some((from.floor(), to.max(from.floor() + 1.0)));
    }
    let to = if axis.from.is_some() { most * AIR } else { most };
    Some((from, if to > from { to } else { from + 1.0 }))
}
