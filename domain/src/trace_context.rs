use std::fmt;
use std::str::FromStr;

/// The trace in which a command was sent, as of the W3C recommendation *Trace Context*. Parses and displays
/// `traceparent`; `tracestate` is carried along as text.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace: TraceContext = header.parse()?;
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), header);
/// # Ok::<(), dormouse::InvalidTraceParent>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; not 0.
    pub trace_id: u128,
    /// The span that sent the command; not 0.
    pub span_id: u64,
    /// The trace flags; bit 0: sampled.
    pub flags: u8,
    /// The `tracestate` header, at most 512 bytes.
    pub state: Option<String>,
}

impl TraceContext {
    /// The context that a span of this trace hands on: as this one, but for the span. What follows from an event, such as the
    /// command of a subscriber, is given the context of the span that handles the event, which is a child of the event's.
    ///
    /// ```
    /// # use dormouse_domain as dormouse;
    /// use dormouse::TraceContext;
    ///
    /// let of_event: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
    /// let handed_on = of_event.child(0x51);
    /// assert_eq!(handed_on.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000051-01");
    /// # Ok::<(), dormouse::InvalidTraceParent>(())
    /// ```
    #[must_use]
    pub fn child(&self, span_id: u64) -> Self {
        Self {
            span_id,
            ..self.clone()
        }
    }

    /// Whether the sender recorded this trace.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    /// Reads a `traceparent` header. Of versions after 00 it reads the parts that 00 has, as the recommendation asks.
    fn from_str(header: &str) -> Result<Self, InvalidTraceParent> {
        let mut parts = header.split('-');
        let mut hex = |digits| {
            parts
                .next()
                .and_then(|part| parse_hex(part, digits))
                .ok_or(InvalidTraceParent)
        };
        let version = hex(2)?;
        let (trace_id, span_id, flags) = (hex(32)?, hex(16)?, hex(2)?);
        let more = parts.next().is_some();
        if version == 0xff || (version == 0 && more) || trace_id == 0 || span_id == 0 {
            return Err(InvalidTraceParent);
        }
        Ok(Self {
            trace_id,
            span_id: u64::try_from(span_id).expect("16 hexadecimal digits fit into 64 bits"),
            flags: u8::try_from(flags).expect("2 hexadecimal digits fit into 8 bits"),
            state: None,
        })
    }
}

fn parse_hex(part: &str, digits: usize) -> Option<u128> {
    let is_lower_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (part.len() == digits && part.bytes().all(is_lower_hex))
        .then(|| u128::from_str_radix(part, 16).ok())
        .flatten()
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a W3C traceparent: expected 00-<32 hexadecimal digits, not all 0>-<16, not all 0>-<2>, in lower case"
)]
pub struct InvalidTraceParent;
