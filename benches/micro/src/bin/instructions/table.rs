//! The checked-in counts, and what is said of new ones.

use std::fmt;
use std::path::Path as FilePath;

use anyhow::{Context, Result};

/// For a path that is new in the table.
const TOLERANCE_PERCENT: u32 = 5;

/// `instructions.txt`: comments, the compiler, a row for each path.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    comments: String,
    /// Another compiler makes other instructions.
    pub(crate) rustc: String,
    rows: Vec<Row>,
}

/// One path's count.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: String,
    instructions: u64,
    tolerance_percent: u32,
}

/// A new count beside the table's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Compared {
    pub(crate) verdict: Verdict,
    before: u64,
    change_percent: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Within,
    Over,
    Under,
}

impl Table {
    pub(crate) fn read(file: &FilePath) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not as expected", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut table = Self::default();
        for line in text.lines() {
            if line.starts_with('#') {
                table.comments += line;
                table.comments.push('\n');
            } else if line.starts_with("rustc ") {
                line.clone_into(&mut table.rustc);
            } else if !line.is_empty() {
                let row = Row::parse(line).with_context(|| format!("line {line:?}"))?;
                table.rows.push(row);
            }
        }
        Ok(table)
    }

    pub(crate) fn compare(&self, name: &str, counted: u64) -> Compared {
        let Some(row) = self.rows.iter().find(|row| row.name == name) else {
            return Compared {
                verdict: Verdict::New,
                before: 0,
                change_percent: 0.0,
            };
        };
        let before = row.instructions;
        let tolerated = before * u64::from(row.tolerance_percent) / 100;
        let verdict = if counted > before + tolerated {
            Verdict::Over
        } else if counted + tolerated < before {
            Verdict::Under
        } else {
            Verdict::Within
        };
        let change_percent = (counted as f64 / before.max(1) as f64 - 1.0) * 100.0;
        Compared {
            verdict,
            before,
            change_percent,
        }
    }

    /// Takes a count over.
    pub(crate) fn put(&mut self, name: &str, instructions: u64) {
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.instructions = instructions,
            None => self.rows.push(Row {
                name: name.to_owned(),
                instructions,
                tolerance_percent: TOLERANCE_PERCENT,
            }),
        }
    }
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let row = Self {
            name: words.next()?.to_owned(),
            instructions: words.next()?.parse().ok()?,
            tolerance_percent: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(row)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\n\n", self.comments, self.rustc)?;
        for Row {
            name,
            instructions,
            tolerance_percent,
        } in &self.rows
        {
            writeln!(f, "{name:<14} {instructions:>8} {tolerance_percent:>4}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.verdict {
            Verdict::New => return f.write_str("           - not in the table yet"),
            Verdict::Within => "",
            Verdict::Over => "  over its tolerance",
            Verdict::Under => "  better: lower the table's number, with ARGS=--update",
        };
        write!(f, "{:>12} {:>+7.1} %{said}", self.before, self.change_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# name, instructions, tolerance\nrustc 1.95.0\n\ndecide             4000    2\n";

    #[test]
    fn a_count_is_judged_by_its_tolerance() {
        let table = Table::parse(TEXT).unwrap();
        let verdict = |counted| table.compare("decide", counted).verdict;
        assert_eq!(verdict(4_080), Verdict::Within);
        assert_eq!(verdict(4_081), Verdict::Over);
        assert_eq!(verdict(3_920), Verdict::Within);
        assert_eq!(verdict(3_919), Verdict::Under);
        assert_eq!(table.compare("journal", 1).verdict, Verdict::New);
    }

    #[test]
    fn is_written_as_it_was_read_but_for_what_was_put() {
        let mut table = Table::parse(TEXT).unwrap();
        assert_eq!(table.to_string(), TEXT);
        table.put("decide", 3_999);
        table.put("journal", 5_000);
        let rows = "decide             3999    2\njournal            5000    5\n";
        assert!(table.to_string().ends_with(rows), "{table}");
    }

    #[test]
    fn a_line_that_is_no_row_is_an_error() {
        for line in ["decide", "decide many 2", "decide 1 2 3"] {
            assert!(Table::parse(line).is_err(), "{line}");
        }
    }
}
