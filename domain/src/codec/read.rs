//! Reads bincode from a slice.
//!
//! The format is that of bincode 2 in its standard configuration, and a property test holds the two together. Ours
//! exists because the crate's own decoder believes lengths: it reserves what a string claims to need before it looks
//! whether the bytes are there, its limit must be a constant, and it follows any depth of nesting. So one wrong byte
//! can abort the process; here it is an error. Errors are made in functions of their own, which keeps the reading
//! short enough to be inlined: measured, that halves the time.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use crate::limits::DECODE_DEPTH_MAX;

/// Elements without bytes (units) can't be checked against the bytes that are left; more of them in one sequence
/// than this are refused, so that a length can't keep the reader busy for ever.
const EMPTY_ELEMENTS_MAX: usize = 65_536;

/// The value at the front of `bytes`, and how many bytes it takes.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), ReadError> {
    let mut input = bytes;
    let value = T::deserialize(Reader {
        input: &mut input,
        depth: 0,
    })?;
    Ok((value, bytes.len() - input.len()))
}

/// Reads one value.
struct Reader<'a, 'de> {
    /// What is left; shared by all readers of one decoding.
    input: &'a mut &'de [u8],
    /// How many values the one to be read is inside of.
    depth: usize,
}

impl<'de> Reader<'_, 'de> {
    #[inline]
    fn take(&mut self, n: usize) -> Result<&'de [u8], ReadError> {
        let left = self.input.len();
        let Some((taken, rest)) = self.input.split_at_checked(n) else {
            return Err(ReadError::too_short(n, left));
        };
        *self.input = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, ReadError> {
        let Some((&byte, rest)) = self.input.split_first() else {
            return Err(ReadError::too_short(1, 0));
        };
        *self.input = rest;
        Ok(byte)
    }

    /// An unsigned integer of a type of at most 8 bytes: itself up to 250; otherwise a mark for its width, then its bytes.
    #[inline]
    fn varint(&mut self, width: usize) -> Result<u64, ReadError> {
        match self.byte()? {
            small @ 0..=250 => Ok(small.into()),
            251 if width >= 2 => Ok(u16::from_le_bytes(self.array()?).into()),
            252 if width >= 4 => Ok(u32::from_le_bytes(self.array()?).into()),
            253 if width >= 8 => Ok(u64::from_le_bytes(self.array()?)),
            mark => Err(ReadError::not_an_integer(mark, width)),
        }
    }

    /// The same with one more mark.
    fn unsigned_128(&mut self) -> Result<u128, ReadError> {
        if self.input.first() != Some(&254) {
            return self.varint(size_of::<u64>()).map(u128::from);
        }
        self.byte()?;
        self.array().map(u128::from_le_bytes)
    }

    #[inline]
    fn unsigned<T: TryFrom<u64>>(&mut self) -> Result<T, ReadError> {
        let number = self.varint(size_of::<T>())?;
        T::try_from(number).map_err(|_| ReadError::out_of_range())
    }

    /// A signed integer, whose sign moved into the lowest bit.
    #[inline]
    fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, ReadError> {
        let zigzag = self.varint(size_of::<T>())?;
        let magnitude = (zigzag >> 1).cast_signed();
        let number = if zigzag & 1 == 1 { !magnitude } else { magnitude };
        T::try_from(number).map_err(|_| ReadError::out_of_range())
    }

    fn signed_128(&mut self) -> Result<i128, ReadError> {
        let zigzag = self.unsigned_128()?;
        let magnitude = (zigzag >> 1).cast_signed();
        Ok(if zigzag & 1 == 1 { !magnitude } else { magnitude })
    }

    #[inline]
    fn length_prefixed(&mut self) -> Result<&'de [u8], ReadError> {
        let len = self.unsigned()?;
        self.take(len)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, ReadError> {
        str::from_utf8(self.length_prefixed()?).map_err(ReadError::new)
    }

    /// A character: its UTF-8 without a length.
    fn character(&mut self) -> Result<char, ReadError> {
        let width = match self.input.first() {
            None | Some(0..=0x7f) => 1,
            Some(0x80..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xff) => 4,
        };
        let text = str::from_utf8(self.take(width)?).map_err(ReadError::new)?;
        text.chars().next().ok_or_else(|| ReadError::new("no character"))
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, ReadError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(ReadError::new(format_args!("{other} is neither 0 nor 1"))),
        }
    }

    /// The number of elements that follow.
    #[inline]
    fn count(&mut self) -> Result<usize, ReadError> {
        let count: usize = self.unsigned()?;
        let left = self.input.len();
        if count <= left.max(EMPTY_ELEMENTS_MAX) {
            return Ok(count);
        }
        Err(ReadError::new(format_args!(
            "{count} elements are announced where {left} bytes are left"
        )))
    }

    /// The reader of what is inside of this value.
    #[inline]
    fn inside(&mut self) -> Result<Reader<'_, 'de>, ReadError> {
        if self.depth == DECODE_DEPTH_MAX {
            return Err(ReadError::new(format_args!(
                "nested deeper than {DECODE_DEPTH_MAX} levels"
            )));
        }
        Ok(Reader {
            input: self.input,
            depth: self.depth + 1,
        })
    }

    #[inline]
    fn elements(&mut self, left: usize) -> Result<Elements<'_, 'de>, ReadError> {
        Ok(Elements {
            reader: self.inside()?,
            left,
        })
    }
}

/// Methods that read a value of fixed kind and hand it to the visitor.
macro_rules! read {
    ($($method:ident => $visit:ident($read:ident $(::<$int:ty>)?)),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit(self.$read$(::<$int>)?()?)
        }
    )*};
}

/// Methods for what only a self-describing format can do.
macro_rules! refuse {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ReadError> {
            Err(ReadError::new("bincode does not describe itself: `untagged`, `flatten`, `tag` and the like need JSON"))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'_, 'de> {
    type Error = ReadError;

    read! {
        deserialize_bool => visit_bool(flag),
        deserialize_u8 => visit_u8(byte),
        deserialize_u16 => visit_u16(unsigned::<u16>),
        deserialize_u32 => visit_u32(unsigned::<u32>),
        deserialize_u64 => visit_u64(unsigned::<u64>),
        deserialize_u128 => visit_u128(unsigned_128),
        deserialize_i16 => visit_i16(signed::<i16>),
        deserialize_i32 => visit_i32(signed::<i32>),
        deserialize_i64 => visit_i64(signed::<i64>),
        deserialize_i128 => visit_i128(signed_128),
        deserialize_char => visit_char(character),
        deserialize_str => visit_borrowed_str(text),
        deserialize_string => visit_borrowed_str(text),
        deserialize_bytes => visit_borrowed_bytes(length_prefixed),
        deserialize_byte_buf => visit_borrowed_bytes(length_prefixed),
    }

    refuse! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn deserialize_i8<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_i8(i8::from_le_bytes(self.array()?))
    }

    fn deserialize_f32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        if self.flag()? {
            visitor.visit_some(self.inside()?)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self.inside()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        let count = self.count()?;
        visitor.visit_seq(self.elements(count)?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(self.elements(len)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ReadError> {
        let count = self.count()?;
        visitor.visit_map(self.elements(count)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(self.inside()?)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a sequence, or the entries of a map.
struct Elements<'a, 'de> {
    reader: Reader<'a, 'de>,
    left: usize,
}

impl<'de> Elements<'_, 'de> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.read(seed).map(Some)
    }

    fn read<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        seed.deserialize(Reader {
            input: self.reader.input,
            depth: self.reader.depth,
        })
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        self.read(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::EnumAccess<'de> for Reader<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Self), ReadError> {
        let index: u32 = self.unsigned()?;
        let variant = seed.deserialize(IntoDeserializer::<ReadError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Reader<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ReadError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ReadError> {
        de::Deserializer::deserialize_tuple(self, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}

/// Why the bytes are not such a value.
#[derive(Debug)]
pub(super) struct ReadError(Arc<str>);

impl ReadError {
    #[cold]
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string().into())
    }

    #[cold]
    fn too_short(announced: usize, left: usize) -> Self {
        Self::new(format_args!(
            "{announced} bytes are announced where {left} are left"
        ))
    }

    #[cold]
    fn not_an_integer(mark: u8, width: usize) -> Self {
        Self::new(format_args!("{mark} marks no integer of {width} bytes"))
    }

    #[cold]
    fn out_of_range() -> Self {
        Self::new("an integer is out of its type's range")
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::new(reason)
    }
}
