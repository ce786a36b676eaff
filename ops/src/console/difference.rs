//! How two JSON values differ, line by line: by field, and in lists by what was put in, changed or taken out between an
//! equal beginning and an equal end.

use std::collections::{HashMap, HashSet};

use maud::{Markup, html};

use crate::console::json::{Json, brief, kind};

/// Larger values are not laid out: a list of numbers takes thirty times as much as a page. The admin API has them whole.
const PRETTY_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Same,
    Added,
    Gone,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) mark: Mark,
    depth: usize,
    key: Option<&'a str>,
    value: Value<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'a> {
    Scalar(&'a str),
    Bracket(&'static str),
}

/// A value with line breaks, coloured; of a large one the beginning, as it is written.
pub(crate) fn pretty(text: &str) -> Markup {
    let parsed = (text.len() <= PRETTY_BYTES_MAX)
        .then(|| Json::parse(text))
        .flatten();
    html! {
        pre.json tabindex="0" {
            @match &parsed {
                Some(json) => @for row in unchanged(json) { (row.text()) "\n" },
                None => (brief(text, PRETTY_BYTES_MAX)),
            }
        }
    }
}

/// All of a value, nothing marked.
pub(crate) fn unchanged<'a>(json: &'a Json<'a>) -> Vec<Row<'a>> {
    let mut rows = Rows::default();
    rows.whole(Mark::Same, 0, None, json);
    rows.0
}

/// `after` with what was there before and is not any more.
pub(crate) fn difference<'a>(before: &'a Json<'a>, after: &'a Json<'a>) -> Vec<Row<'a>> {
    let mut rows = Rows::default();
    rows.both(0, None, before, after);
    rows.0
}

#[derive(Default)]
struct Rows<'a>(Vec<Row<'a>>);

impl<'a> Rows<'a> {
    fn push(&mut self, mark: Mark, depth: usize, key: Option<&'a str>, value: Value<'a>) {
        self.0.push(Row {
            mark,
            depth,
            key,
            value,
        });
    }

    fn whole(&mut self, mark: Mark, depth: usize, key: Option<&'a str>, json: &'a Json<'a>) {
        match json {
            Json::Scalar(text) => self.push(mark, depth, key, Value::Scalar(text)),
            Json::List(items) if items.is_empty() => self.push(mark, depth, key, Value::Bracket("[]")),
            Json::Fields(fields) if fields.is_empty() => self.push(mark, depth, key, Value::Bracket("{}")),
            Json::List(items) => {
                self.push(mark, depth, key, Value::Bracket("["));
                items
                    .iter()
                    .for_each(|item| self.whole(mark, depth + 1, None, item));
                self.push(mark, depth, None, Value::Bracket("]"));
            }
            Json::Fields(fields) => {
                self.push(mark, depth, key, Value::Bracket("{"));
                fields
                    .iter()
                    .for_each(|(key, value)| self.whole(mark, depth + 1, Some(key), value));
                self.push(mark, depth, None, Value::Bracket("}"));
            }
        }
    }

    fn both(&mut self, depth: usize, key: Option<&'a str>, before: &'a Json<'a>, after: &'a Json<'a>) {
        match (before, after) {
            _ if before == after => self.whole(Mark::Same, depth, key, after),
            (Json::Fields(old), Json::Fields(new)) if !old.is_empty() && !new.is_empty() => {
                self.push(Mark::Same, depth, key, Value::Bracket("{"));
                self.fields(depth + 1, old, new);
                self.push(Mark::Same, depth, None, Value::Bracket("}"));
            }
            (Json::List(old), Json::List(new)) if !old.is_empty() && !new.is_empty() => {
                self.push(Mark::Same, depth, key, Value::Bracket("["));
                self.items(depth + 1, old, new);
                self.push(Mark::Same, depth, None, Value::Bracket("]"));
            }
            _ => {
                self.whole(Mark::Gone, depth, key, before);
                self.whole(Mark::Added, depth, key, after);
            }
        }
    }

    /// In the order of `new`; a field that is gone stands where it was.
    fn fields(&mut self, depth: usize, old: &'a [(String, Json<'a>)], new: &'a [(String, Json<'a>)]) {
        // by name, so that a map of thousands of entries does not cost their square; of one name the first counts
        let places: HashMap<&str, usize> = (0..old.len()).rev().map(|at| (&*old[at].0, at)).collect();
        let names: HashSet<&str> = new.iter().map(|(name, _)| &**name).collect();
        let is_gone = |key: &str| !names.contains(key);
        let mut told = 0;
        for (key, after) in new {
            let Some(&at) = places.get(&**key) else {
                self.whole(Mark::Added, depth, Some(key), after);
                continue;
            };
            if at >= told {
                self.gone(depth, old[told..at].iter().filter(|(key, _)| is_gone(key)));
                told = at + 1;
            }
            self.both(depth, Some(key), &old[at].1, after);
        }
        self.gone(depth, old[told..].iter().filter(|(key, _)| is_gone(key)));
    }

    fn gone(&mut self, depth: usize, fields: impl Iterator<Item = &'a (String, Json<'a>)>) {
        fields.for_each(|(key, value)| self.whole(Mark::Gone, depth, Some(key), value));
    }

    fn items(&mut self, depth: usize, old: &'a [Json<'a>], new: &'a [Json<'a>]) {
        let first = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - first;
        let last = old.iter().rev().zip(new.iter().rev()).take(rest);
        let last = last.take_while(|(a, b)| a == b).count();
        let (gone, added) = (&old[first..old.len() - last], &new[first..new.len() - last]);
        let whole = |rows: &mut Self, mark, items: &'a [Json<'a>]| {
            items.iter().for_each(|item| rows.whole(mark, depth, None, item));
        };
        whole(self, Mark::Same, &new[..first]);
        let changed = gone.len().min(added.len());
        for (before, after) in gone.iter().zip(added) {
            self.both(depth, None, before, after);
        }
        whole(self, Mark::Gone, &gone[changed..]);
        whole(self, Mark::Added, &added[changed..]);
        whole(self, Mark::Same, &new[new.len() - last..]);
    }
}

impl Row<'_> {
    /// Indented, coloured, without a comma: nothing is copied from here but values.
    pub(crate) fn text(&self) -> Markup {
        html! {
            (" ".repeat(2 * self.depth))
            @if let Some(key) = self.key { span.key { (key) } ": " }
            @match self.value {
                Value::Scalar(text) => span class=(kind(text)) { (text) },
                Value::Bracket(bracket) => (bracket),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expected: &[&str]) {
        let (old, new) = (Json::parse(before).unwrap(), Json::parse(after).unwrap());
        let rows: Vec<String> = difference(&old, &new).iter().map(line).collect();
        assert_eq!(rows, expected, "{before} -> {after}");
    }

    fn line(row: &Row<'_>) -> String {
        let mark = match row.mark {
            Mark::Same => ' ',
            Mark::Added => '+',
            Mark::Gone => '-',
        };
        let key = row.key.map_or(String::new(), |key| format!("{key}: "));
        let (Value::Scalar(value) | Value::Bracket(value)) = row.value;
        format!("{mark}{}{key}{value}", " ".repeat(row.depth))
    }

    #[test]
    fn fields_are_compared_by_name() {
        check(
            r#"{"a":1,"gone":2,"b":3}"#,
            r#"{"a":1,"b":4,"new":[]}"#,
            &[
                " {",
                "  \"a\": 1",
                "- \"gone\": 2",
                "- \"b\": 3",
                "+ \"b\": 4",
                "+ \"new\": []",
                " }",
            ],
        );
    }

    #[test]
    fn an_item_put_at_the_end_is_one_line() {
        check("[1,2]", "[1,2,3]", &[" [", "  1", "  2", "+ 3", " ]"]);
        check("[1,2,3]", "[2,3]", &[" [", "- 1", "  2", "  3", " ]"]);
        check("[1,1]", "[1]", &[" [", "  1", "- 1", " ]"]);
    }

    #[test]
    fn an_item_that_changed_is_looked_into() {
        check(
            r#"[{"n":1,"m":0},7]"#,
            r#"[{"n":2,"m":0},7]"#,
            &[
                " [",
                "  {",
                "-  \"n\": 1",
                "+  \"n\": 2",
                "   \"m\": 0",
                "  }",
                "  7",
                " ]",
            ],
        );
    }

    #[test]
    fn another_kind_of_value_replaces_the_whole() {
        check(
            r#"{"a":null}"#,
            r#"{"a":{"b":1}}"#,
            &[" {", "- \"a\": null", "+ \"a\": {", "+  \"b\": 1", "+ }", " }"],
        );
        check("[]", "[1]", &["-[]", "+[", "+ 1", "+]"]);
    }

    #[test]
    fn equal_values_have_no_marks() {
        let json = r#"{"a":[1,{"b":[]}],"c":"x"}"#;
        let parsed = Json::parse(json).unwrap();
        assert!(
            difference(&parsed, &parsed)
                .iter()
                .all(|row| row.mark == Mark::Same)
        );
    }

    #[test]
    fn of_a_large_value_the_beginning_is_shown_as_it_is_written() {
        let list = |items: usize| format!("[{}1]", "1,".repeat(items));
        let shown = |items| pretty(&list(items)).into_string();
        assert!(shown(1_000).contains("<span"));
        let large = shown(1 << 20);
        assert!(large.len() < 2 * PRETTY_BYTES_MAX && large.contains('…'));
        assert!(!large.contains("<span"));
    }
}
