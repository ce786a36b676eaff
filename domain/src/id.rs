use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{AGGREGATE_ID_BYTES_MAX, AGGREGATE_TYPE_BYTES_MAX};

/// Names one aggregate among those of its type: 1 to 512 bytes of UTF-8 without control characters.
///
/// Cloning shares the text (one reference count). Ids are case-sensitive and compared by their bytes; nothing is
/// trimmed or normalised.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::AggregateId;
///
/// let id: AggregateId = "acc-1".parse()?;
/// assert_eq!(id.as_str(), "acc-1");
/// assert_eq!(
///     AggregateId::try_from("").unwrap_err().to_string(),
///     "aggregate id is empty; it takes 1 to 512 bytes"
/// );
/// # Ok::<(), dormouse::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateId(Arc<str>);

impl AggregateId {
    /// Longest id, in bytes of UTF-8.
    pub const BYTES_MAX: usize = AGGREGATE_ID_BYTES_MAX;

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), InvalidId> {
        check("aggregate id", text, Self::BYTES_MAX)
    }
}

impl TryFrom<&str> for AggregateId {
    type Error = InvalidId;

    fn try_from(text: &str) -> Result<Self, InvalidId> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for AggregateId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<&String> for AggregateId {
    type Error = InvalidId;

    fn try_from(text: &String) -> Result<Self, InvalidId> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<Arc<str>> for AggregateId {
    type Error = InvalidId;

    fn try_from(text: Arc<str>) -> Result<Self, InvalidId> {
        Self::check(&text)?;
        Ok(Self(text))
    }
}

impl From<&AggregateId> for AggregateId {
    fn from(id: &AggregateId) -> Self {
        id.clone()
    }
}

impl FromStr for AggregateId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text)
    }
}

impl AsRef<str> for AggregateId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for AggregateId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AggregateId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text)
            .and_then(|id| Self::try_from(id).map_err(de::Error::custom))
    }
}

/// Reads a string without an intermediate copy.
struct Text;

impl de::Visitor<'_> for Text {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

/// Names a type of aggregate in the store: 1 to 64 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateType(Cow<'static, str>);

impl AggregateType {
    /// Longest type name, in bytes of UTF-8.
    pub const BYTES_MAX: usize = AGGREGATE_TYPE_BYTES_MAX;

    /// Checks a name read from outside.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Result<Self, InvalidId> {
        let name = name.into();
        check("aggregate type", &name, Self::BYTES_MAX)?;
        Ok(Self(name))
    }

    /// Takes a name that the program itself contains, unchecked: starting the runtime checks it with
    /// [`new`](Self::new).
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for AggregateType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AggregateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AggregateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Names one stream of events: the type of the aggregate and its id. Displayed as `account/acc-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The type of aggregate.
    pub aggregate_type: AggregateType,
    /// The aggregate's id among those of its type.
    pub id: AggregateId,
}

impl StreamId {
    /// Puts the two parts together.
    #[must_use]
    pub const fn new(aggregate_type: AggregateType, id: AggregateId) -> Self {
        Self { aggregate_type, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type, self.id)
    }
}

/// An id or a type name that can't be used. Nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidId {
    /// Which of the names it was: `aggregate id` or `aggregate type`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: IdProblem,
}

/// What is wrong with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// It has no bytes.
    #[error("is empty; it takes 1 to {limit} bytes")]
    Empty {
        /// Most bytes it may have.
        limit: usize,
    },
    /// It has more bytes than the limit.
    #[error("has {bytes} bytes; the limit is {limit}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// Most bytes it may have.
        limit: usize,
    },
    /// It contains a control character (Unicode category Cc, such as a line feed or a zero byte).
    #[error("has a control character at byte {at}; remove it or encode it")]
    ControlCharacter {
        /// Where the first one begins, in bytes from 0.
        at: usize,
    },
}

fn check(field: &'static str, text: &str, limit: usize) -> Result<(), InvalidId> {
    let problem = match text.len() {
        0 => IdProblem::Empty { limit },
        bytes if bytes > limit => IdProblem::TooLong { bytes, limit },
        // of all bytes, without an early end: so the compiler looks at many at once
        _ if text
            .bytes()
            .fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte)) =>
        {
            return Ok(());
        }
        _ => match text.find(char::is_control) {
            Some(at) => IdProblem::ControlCharacter { at },
            None => return Ok(()),
        },
    };
    Err(InvalidId { field, problem })
}
