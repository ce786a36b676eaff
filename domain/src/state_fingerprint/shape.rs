//! Describes a type as serde sees it, by letting it read samples and noting what it asks for.
//!
//! One reading visits one variant of each enum, so it is repeated until every variant was visited. A type inside of
//! itself is followed once: there options are `None`, sequences are empty, and an enum takes a variant that is known
//! to end.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

/// Strings that types accept which check what they read; the first one that every string in the type accepts is used.
const SAMPLES: [&str; 4] = [
    "a",
    "1",
    "00000000-0000-7000-8000-000000000001",
    "2000-01-01T00:00:00Z",
];
/// As many bytes as a UUID has.
const SAMPLE_BYTES: &[u8; 16] = &[1; 16];

const DEPTH_MAX: usize = 128;
const READINGS_MAX: usize = 1_000;
const TEXT_BYTES_MAX: usize = 1_000_000;

/// The shape of `T`; `None` when it can't be told.
pub(super) fn of<T: DeserializeOwned>(human_readable: bool) -> Option<String> {
    SAMPLES.into_iter().find_map(|sample| {
        let mut trace = Trace {
            human_readable,
            sample,
            ..Trace::default()
        };
        for _ in 0..READINGS_MAX {
            T::deserialize(Probe {
                trace: &mut trace,
                depth: 0,
            })
            .ok()?;
            if trace.enums.values().all(Explored::is_finished) {
                return Some(trace.text);
            }
        }
        None
    })
}

#[derive(Default)]
struct Trace {
    human_readable: bool,
    sample: &'static str,
    text: String,
    enums: BTreeMap<Names, Explored>,
    /// Structs that are being read, and how many times.
    structs: BTreeMap<Names, usize>,
    /// How many of the types that are being read are inside of themselves.
    repeated: usize,
}

/// What identifies a struct or an enum: its name and those of its fields or variants.
type Names = (&'static str, &'static [&'static str]);

/// What was seen of one enum.
#[derive(Default)]
struct Explored {
    variants: usize,
    /// The first variant that was not yet visited.
    next: usize,
    /// How many values of it are being read.
    active: usize,
    /// How many were read inside of one of its own.
    inside_itself: usize,
    /// A variant that does not contain the enum.
    ending: Option<usize>,
}

impl Explored {
    fn is_finished(&self) -> bool {
        self.next == self.variants
    }

    fn choose(&mut self, repeated: bool) -> usize {
        if self.active == 0 && !repeated && !self.is_finished() {
            self.next += 1;
            return self.next - 1;
        }
        // Before an ending variant is known, each level tries another one, so that the levels come to an end.
        self.ending.unwrap_or((self.next + self.active) % self.variants)
    }
}

/// Reads one value.
struct Probe<'a> {
    trace: &'a mut Trace,
    depth: usize,
}

impl Probe<'_> {
    /// Ends the reading of a type that has no end, too.
    fn note(&mut self, token: &str) -> Result<(), Untraceable> {
        if self.trace.text.len() > TEXT_BYTES_MAX || self.depth > DEPTH_MAX {
            return Err(Untraceable);
        }
        self.trace.text.push_str(token);
        Ok(())
    }

    fn inside(&mut self) -> Probe<'_> {
        Probe {
            trace: self.trace,
            depth: self.depth + 1,
        }
    }

    /// Reads elements between brackets.
    fn elements<'de, V: Visitor<'de>>(
        &mut self,
        [open, close]: [&str; 2],
        count: usize,
        names: &'static [&'static str],
        visit: impl FnOnce(Elements<'_>) -> Result<V::Value, Untraceable>,
    ) -> Result<V::Value, Untraceable> {
        self.note(open)?;
        let value = visit(Elements {
            probe: self.inside(),
            left: count,
            names: names.iter(),
        })?;
        self.note(close)?;
        Ok(value)
    }

    /// One element where there may be any number; none in a type inside of itself.
    fn sample_count(&self) -> usize {
        usize::from(self.trace.repeated == 0)
    }
}

/// Methods that note a primitive and give a sample of it.
macro_rules! primitive {
    ($($method:ident: $name:literal => $visit:ident($sample:expr)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
            self.note($name)?;
            visitor.$visit($sample)
        }
    )*};
}

/// Methods for what only a self-describing format can do.
macro_rules! untraceable {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Untraceable> {
            Err(Untraceable)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Untraceable;

    // 1 rather than 0, which a `NonZero` would refuse.
    primitive! {
        deserialize_bool: "bool" => visit_bool(false),
        deserialize_u8: "u8" => visit_u8(1),
        deserialize_u16: "u16" => visit_u16(1),
        deserialize_u32: "u32" => visit_u32(1),
        deserialize_u64: "u64" => visit_u64(1),
        deserialize_u128: "u128" => visit_u128(1),
        deserialize_i8: "i8" => visit_i8(1),
        deserialize_i16: "i16" => visit_i16(1),
        deserialize_i32: "i32" => visit_i32(1),
        deserialize_i64: "i64" => visit_i64(1),
        deserialize_i128: "i128" => visit_i128(1),
        deserialize_f32: "f32" => visit_f32(1.0),
        deserialize_f64: "f64" => visit_f64(1.0),
        deserialize_char: "char" => visit_char('a'),
        deserialize_bytes: "bytes" => visit_borrowed_bytes(SAMPLE_BYTES),
        deserialize_byte_buf: "bytes" => visit_borrowed_bytes(SAMPLE_BYTES),
    }

    untraceable! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
        self.note("str")?;
        visitor.visit_borrowed_str(self.trace.sample)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
        self.note("()")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
        self.note("?")?;
        if self.sample_count() == 0 {
            visitor.visit_none()
        } else {
            visitor.visit_some(self.inside())
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.note("")?;
        visitor.visit_newtype_struct(self.inside())
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
        let count = self.sample_count();
        self.elements::<V>(["[", "]"], count, &[], |elements| visitor.visit_seq(elements))
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.elements::<V>(["(", ")"], len, &[], |elements| visitor.visit_seq(elements))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Untraceable> {
        let count = self.sample_count();
        self.elements::<V>(["[map:", "]"], count, &[], |elements| visitor.visit_map(elements))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        let active = self.trace.structs.entry((name, fields)).or_default();
        *active += 1;
        let repeats = usize::from(*active > 1);
        self.trace.repeated += repeats;
        let value = self.elements::<V>(["{", "}"], fields.len(), fields, |elements| {
            visitor.visit_seq(elements)
        })?;
        self.trace.repeated -= repeats;
        *self.trace.structs.entry((name, fields)).or_default() -= 1;
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        if variants.is_empty() {
            return Err(Untraceable);
        }
        let repeated = self.trace.repeated > 0;
        let explored = self.trace.enums.entry((name, variants)).or_default();
        explored.variants = variants.len();
        let index = explored.choose(repeated);
        let repeats = usize::from(explored.active > 0);
        let inside_before = explored.inside_itself + repeats;
        explored.inside_itself = inside_before;
        explored.active += 1;
        self.trace.repeated += repeats;

        self.note(&format!("<{} of {}: {}", index, variants.len(), variants[index]))?;
        let value = visitor.visit_enum(Variant {
            probe: self.inside(),
            index,
        })?;
        self.note(">")?;

        self.trace.repeated -= repeats;
        let explored = self.trace.enums.entry((name, variants)).or_default();
        explored.active -= 1;
        if explored.inside_itself == inside_before {
            explored.ending.get_or_insert(index);
        }
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        self.trace.human_readable
    }
}

/// The elements of a sequence, the entries of a map, or the fields of a struct.
struct Elements<'a> {
    probe: Probe<'a>,
    left: usize,
    names: std::slice::Iter<'static, &'static str>,
}

impl Elements<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Untraceable> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        if let Some(name) = self.names.next() {
            self.probe.note(name)?;
            self.probe.note(":")?;
        }
        self.read(seed).map(Some)
    }

    fn read<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Untraceable> {
        let value = seed.deserialize(self.probe.inside())?;
        self.probe.note(",")?;
        Ok(value)
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Untraceable;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Untraceable> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_> {
    type Error = Untraceable;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Untraceable> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Untraceable> {
        self.read(seed)
    }
}

/// A chosen variant of an enum.
struct Variant<'a> {
    probe: Probe<'a>,
    index: usize,
}

impl<'a, 'de> de::EnumAccess<'de> for Variant<'a> {
    type Error = Untraceable;
    type Variant = Probe<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Probe<'a>), Untraceable> {
        let index = u32::try_from(self.index).map_err(|_| Untraceable)?;
        let variant = seed.deserialize(IntoDeserializer::<Untraceable>::into_deserializer(index))?;
        Ok((variant, self.probe))
    }
}

impl<'de> de::VariantAccess<'de> for Probe<'_> {
    type Error = Untraceable;

    fn unit_variant(self) -> Result<(), Untraceable> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Untraceable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.elements::<V>(["{", "}"], fields.len(), fields, |elements| {
            visitor.visit_seq(elements)
        })
    }
}

/// The type refuses the samples, or needs a format that describes itself.
#[derive(Debug)]
struct Untraceable;

impl fmt::Display for Untraceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("untraceable")
    }
}

impl std::error::Error for Untraceable {}

impl de::Error for Untraceable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
