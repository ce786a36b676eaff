//! JSON as it was written: the order of its fields and every digit of its numbers, which a parsed value would lose.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper parts are shown on one line, as they are written: a bound for recursion.
const DEPTH_MAX: usize = 48;

/// A value, its scalars as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Scalar(&'a str),
    List(Vec<Json<'a>>),
    /// Keys as they are written, with their quotes.
    Fields(Vec<(String, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// None unless `text` is JSON.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Self::of(raw.get(), DEPTH_MAX)
    }

    fn of(text: &'a str, depth_left: usize) -> Option<Self> {
        let inner = |raw: &'a RawValue| Self::of(raw.get(), depth_left - 1);
        match text.as_bytes().first()? {
            _ if depth_left == 0 => Some(Self::Scalar(text)),
            b'{' => {
                let Fields(fields) = serde_json::from_str(text).ok()?;
                let fields = fields
                    .into_iter()
                    .map(|(key, raw)| Some((quoted(&key), inner(raw)?)));
                fields.collect::<Option<_>>().map(Self::Fields)
            }
            b'[' => {
                let Items(items) = serde_json::from_str(text).ok()?;
                items
                    .into_iter()
                    .map(inner)
                    .collect::<Option<_>>()
                    .map(Self::List)
            }
            _ => Some(Self::Scalar(text)),
        }
    }
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

/// The style of a scalar.
pub(crate) fn kind(scalar: &str) -> &'static str {
    match scalar.as_bytes().first() {
        Some(b'"') => "string",
        Some(b'-' | b'0'..=b'9') => "number",
        _ => "word",
    }
}

/// The beginning of a value, on one line.
pub(crate) fn brief(text: &str, chars_max: usize) -> String {
    let mut brief: String = text.chars().take(chars_max).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    brief
}

struct Fields<'a>(Vec<(String, &'a RawValue)>);
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Items<'de>, S::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay_as_they_are_written() {
        let text = r#"{"z": 340282366920938463463374607431768211455, "a": [1.50, "\u00e4"], "q\"": {}}"#;
        let fields = vec![
            (
                r#""z""#.to_owned(),
                Json::Scalar("340282366920938463463374607431768211455"),
            ),
            (
                r#""a""#.to_owned(),
                Json::List(vec![Json::Scalar("1.50"), Json::Scalar(r#""\u00e4""#)]),
            ),
            (r#""q\"""#.to_owned(), Json::Fields(vec![])),
        ];
        assert_eq!(Json::parse(text), Some(Json::Fields(fields)));
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in ["", "{", "[1,]", "{\"a\":}", "nonsense"] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let mut json = Json::parse(&text).unwrap();
        let mut depth = 0;
        while let Json::List(mut items) = json {
            json = items.pop().unwrap();
            depth += 1;
        }
        assert_eq!(depth, DEPTH_MAX);
    }
}
