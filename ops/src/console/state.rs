//! The state of an aggregate at a version, and what its event changed.

use std::num::NonZeroUsize;

use dormouse_domain::{StreamId, Version};
use dormouse_runtime::admin::{Admin, AdminError, AsOf};
use maud::{Markup, html};

use crate::console::difference::{Mark, Row, difference, unchanged};
use crate::console::json::{Json, brief};
use crate::format;

/// Larger states are not taken apart: their beginning is shown as it is written.
const COMPARED_BYTES_MAX: usize = 512 * 1024;
/// What is shown of those.
const SHOWN_CHARS_MAX: usize = 16 * 1024;
/// With more lines than this, only the changed ones are shown, and some around them.
const ROWS_MAX: usize = 600;
/// Lines around a changed one.
const AROUND: usize = 4;

/// A state and the one before it.
pub(crate) struct States {
    after: Result<String, AdminError>,
    /// None where there is no version before, or where it can't be told.
    before: Option<String>,
}

impl States {
    pub(crate) async fn read(admin: &Admin, stream: &StreamId, version: Version) -> Self {
        let after = admin
            .state_at(stream, AsOf::Version(version))
            .await
            .map(|state| state.json);
        let before = match (&after, version.get().checked_sub(1)) {
            (Ok(_), Some(before)) => admin
                .state_at(stream, AsOf::Version(Version::new(before)))
                .await
                .ok(),
            _ => None,
        };
        Self {
            after,
            before: before.map(|state| state.json),
        }
    }

    pub(crate) fn markup(&self, version: Version) -> Markup {
        html! {
            header {
                h2 { "State at version " (format::count(version.get())) }
                @if let Ok(after) = &self.after {
                    span.note { (format::bytes(after.len() as u64)) " as JSON" }
                }
            }
            @match &self.after {
                Err(error) => p.empty { "It can't be shown: " (error) },
                Ok(after) => (self.shown(after)),
            }
        }
    }

    fn shown(&self, after: &str) -> Markup {
        let before = self
            .before
            .as_deref()
            .filter(|before| before.len() <= COMPARED_BYTES_MAX);
        let old = before.and_then(Json::parse);
        match Json::parse(after).filter(|_| after.len() <= COMPARED_BYTES_MAX) {
            None => beginning(after),
            Some(new) => match &old {
                Some(old) => compared(&difference(old, &new)),
                None => compared(&unchanged(&new)),
            },
        }
    }
}

fn beginning(text: &str) -> Markup {
    html! {
        p.empty { "Too large to be compared; it begins so:" }
        pre.json tabindex="0" { (brief(text, SHOWN_CHARS_MAX)) }
    }
}

fn compared(rows: &[Row<'_>]) -> Markup {
    let changed = rows.iter().filter(|row| row.mark != Mark::Same).count();
    let kept = kept(rows);
    html! {
        @if changed > 0 {
            label.only-changes { input type="checkbox"; "only what changed" }
        } @else {
            p.empty { "This event changed nothing of it." }
        }
        pre.json.difference tabindex="0" {
            @for part in &kept {
                @match part {
                    Part::Row(row) => (line(row)),
                    Part::LeftOut(rows) => span.row.same data-mark=" " { span.soft { "… " (format::plural(rows.get() as u64, "line", "lines")) " as before" } },
                }
            }
        }
    }
}

fn line(row: &Row<'_>) -> Markup {
    let (class, mark) = match row.mark {
        Mark::Same => ("row same", " "),
        Mark::Added => ("row add", "+"),
        Mark::Gone => ("row gone", "−"),
    };
    html! { span class=(class) data-mark=(mark) { (row.text()) } }
}

enum Part<'r, 'a> {
    Row(&'r Row<'a>),
    LeftOut(NonZeroUsize),
}

/// All rows, or where they are too many those near a change, the first ones, and how many lie between; never more than
/// [`ROWS_MAX`] of them.
fn kept<'r, 'a>(rows: &'r [Row<'a>]) -> Vec<Part<'r, 'a>> {
    let is_near = near(rows);
    let mut parts = Vec::new();
    let (mut left_out, mut shown) = (0, 0);
    for (row, is_near) in rows.iter().zip(is_near) {
        if shown < ROWS_MAX && (rows.len() <= ROWS_MAX || is_near) {
            parts.extend(NonZeroUsize::new(left_out).map(Part::LeftOut));
            parts.push(Part::Row(row));
            (left_out, shown) = (0, shown + 1);
        } else {
            left_out += 1;
        }
    }
    parts.extend(NonZeroUsize::new(left_out).map(Part::LeftOut));
    parts
}

fn near(rows: &[Row<'_>]) -> Vec<bool> {
    let mut near = vec![false; rows.len()];
    let changes = rows.iter().enumerate().filter(|(_, row)| row.mark != Mark::Same);
    for at in changes.map(|(at, _)| at).chain([0]) {
        let end = (at + AROUND + 1).min(rows.len());
        near[at.saturating_sub(AROUND)..end].fill(true);
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(before: &str, after: &str) -> (usize, usize) {
        let (old, new) = (Json::parse(before).unwrap(), Json::parse(after).unwrap());
        let rows = difference(&old, &new);
        let kept = kept(&rows);
        let shown = kept.iter().filter(|part| matches!(part, Part::Row(_))).count();
        let left_out = kept.iter().map(|part| match part {
            Part::Row(_) => 0,
            Part::LeftOut(rows) => rows.get(),
        });
        assert_eq!(
            shown + left_out.sum::<usize>(),
            rows.len(),
            "each row is shown or counted"
        );
        (shown, kept.len())
    }

    fn list(items: impl Iterator<Item = usize>) -> String {
        format!(
            "[{}]",
            items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
        )
    }

    #[test]
    fn a_small_state_is_shown_whole() {
        assert_eq!(parts("[1,2]", "[1,3]"), (5, 5));
    }

    #[test]
    fn of_a_large_one_what_changed_with_some_lines_around() {
        let (shown, parts) = parts(&list(0..5_000), &list((0..2_500).chain([9]).chain(2_501..5_000)));
        // the beginning, both changed lines with their surroundings; two gaps
        assert_eq!(
            (shown, parts),
            (AROUND + 1 + 2 + 2 * AROUND, AROUND + 1 + 2 + 2 * AROUND + 2)
        );
    }

    #[test]
    fn however_much_changed_it_is_bounded() {
        let (shown, _) = parts(&list(0..5_000), &list(5_000..10_000));
        assert_eq!(shown, ROWS_MAX);
    }
}
