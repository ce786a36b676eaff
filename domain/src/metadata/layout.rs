//! The bytes of stored metadata. Empty metadata takes none. Otherwise, integers big-endian, in this order:
//!
//! | bytes | what | present if |
//! |---|---|---|
//! | 1 | flags: 1 correlation, 2 causation, 4 trace, 8 trace state, 16 headers; others 0 | always |
//! | 16 | correlation, a UUID | flag 1 |
//! | 16 | causation, a UUID | flag 2 |
//! | 16 + 8 + 1 | trace id, span id, trace flags | flag 4 |
//! | 2 + n | length of the trace state, the trace state in UTF-8 | flag 8, only with flag 4 |
//! | 1 | number of headers | flag 16 |
//! | 1 + k + 2 + v | each header: length of the key, the key, length of the value, the value, both in UTF-8 | flag 16 |

use uuid::Uuid;

use super::Metadata;
use crate::{CodecError, TraceContext};

const CORRELATION: u8 = 1;
const CAUSATION: u8 = 2;
const TRACE: u8 = 4;
const TRACE_STATE: u8 = 8;
const HEADERS: u8 = 16;
const KNOWN: u8 = CORRELATION | CAUSATION | TRACE | TRACE_STATE | HEADERS;

const UUID_BYTES: usize = 16;
const TRACE_BYTES: usize = 16 + 8 + 1;

impl Metadata {
    /// Appends the stored form, described byte by byte in the storage format's page. Nothing, when there is nothing.
    ///
    /// The metadata must be [valid](Self::validate): the layout's lengths rely on the bounds.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        debug_assert_eq!(
            self.validate(),
            Ok(()),
            "metadata is validated before it is encoded"
        );
        if self.is_empty() {
            return;
        }
        out.push(self.flags());
        for uuid in [self.correlation, self.causation].into_iter().flatten() {
            out.extend_from_slice(uuid.as_bytes());
        }
        if let Some(trace) = &self.trace {
            out.extend_from_slice(&trace.trace_id.to_be_bytes());
            out.extend_from_slice(&trace.span_id.to_be_bytes());
            out.push(trace.flags);
            if let Some(state) = &trace.state {
                put_long(out, state);
            }
        }
        if !self.headers.is_empty() {
            out.push(narrow(self.headers.len()));
            for (key, value) in &self.headers {
                out.push(narrow(key.len()));
                out.extend_from_slice(key.as_bytes());
                put_long(out, value);
            }
        }
    }

    /// How many bytes [`encode_into`](Self::encode_into) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        let uuids = [self.correlation, self.causation].into_iter().flatten().count() * UUID_BYTES;
        let trace = self.trace.as_ref().map_or(0, |trace| {
            TRACE_BYTES + trace.state.as_ref().map_or(0, |state| 2 + state.len())
        });
        let headers: usize = self
            .headers
            .iter()
            .map(|(key, value)| 1 + key.len() + 2 + value.len())
            .sum();
        1 + uuids + trace + usize::from(!self.headers.is_empty()) + headers
    }

    /// Reads the stored form back.
    ///
    /// # Errors
    /// [`CodecError::Decode`] for bytes that are no metadata, [`CodecError::TrailingBytes`] when some are left.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut input = Input(bytes);
        let flags = input.byte()?;
        if flags & !KNOWN != 0 || flags & (TRACE | TRACE_STATE) == TRACE_STATE {
            return Err(CodecError::decode(format_args!(
                "metadata flags {flags:#04x} are unknown"
            )));
        }
        let metadata = Self {
            correlation: input.uuid_if(flags & CORRELATION != 0)?,
            causation: input.uuid_if(flags & CAUSATION != 0)?,
            trace: input.trace(flags)?,
            headers: input.headers_if(flags & HEADERS != 0)?,
        };
        match input.0.len() {
            0 => Ok(metadata),
            left => Err(CodecError::TrailingBytes { left }),
        }
    }

    fn flags(&self) -> u8 {
        let state = self.trace.as_ref().is_some_and(|trace| trace.state.is_some());
        [
            (self.correlation.is_some(), CORRELATION),
            (self.causation.is_some(), CAUSATION),
            (self.trace.is_some(), TRACE),
            (state, TRACE_STATE),
            (!self.headers.is_empty(), HEADERS),
        ]
        .into_iter()
        .fold(
            0,
            |flags, (present, flag)| if present { flags | flag } else { flags },
        )
    }
}

/// A text behind its length in two bytes.
fn put_long(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("validated metadata has no text over 64 KiB");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn narrow(len: usize) -> u8 {
    u8::try_from(len).expect("validated metadata has at most 255 headers, with keys of at most 255 bytes")
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| CodecError::decode("metadata ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array().map(|[byte]| byte)
    }

    fn text(&mut self, len: usize) -> Result<String, CodecError> {
        let text = str::from_utf8(self.take(len)?).map_err(CodecError::decode)?;
        Ok(text.into())
    }

    fn long_text(&mut self) -> Result<String, CodecError> {
        let len = u16::from_be_bytes(self.array()?);
        self.text(len.into())
    }

    fn uuid_if(&mut self, present: bool) -> Result<Option<Uuid>, CodecError> {
        present.then(|| self.array().map(Uuid::from_bytes)).transpose()
    }

    fn trace(&mut self, flags: u8) -> Result<Option<TraceContext>, CodecError> {
        if flags & TRACE == 0 {
            return Ok(None);
        }
        Ok(Some(TraceContext {
            trace_id: u128::from_be_bytes(self.array()?),
            span_id: u64::from_be_bytes(self.array()?),
            flags: self.byte()?,
            state: (flags & TRACE_STATE != 0).then(|| self.long_text()).transpose()?,
        }))
    }

    fn headers_if(&mut self, present: bool) -> Result<Vec<(String, String)>, CodecError> {
        let count = if present { self.byte()? } else { 0 };
        (0..count).map(|_| self.header()).collect()
    }

    fn header(&mut self) -> Result<(String, String), CodecError> {
        let key_len = self.byte()?;
        Ok((self.text(key_len.into())?, self.long_text()?))
    }
}
