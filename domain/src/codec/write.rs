use std::io;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;

/// Appends to a buffer up to a limit; beyond it only counts.
pub(super) struct BoundedWriter<'a> {
    out: &'a mut Vec<u8>,
    written: usize,
    bytes_max: usize,
}

impl<'a> BoundedWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, bytes_max: usize) -> Self {
        Self {
            out,
            written: 0,
            bytes_max,
        }
    }

    /// All bytes that were offered, stored or not.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    // serde hands a `Vec<u8>` over byte by byte
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.written += bytes.len();
        if self.written <= self.bytes_max {
            self.out.extend_from_slice(bytes);
        }
    }
}

/// Counts and stores nothing.
#[derive(Default)]
pub(super) struct Counter {
    pub(super) bytes: usize,
}

impl Counter {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }
}

/// bincode and JSON each want a trait of their own to write through.
macro_rules! infallible_writer {
    ($writer:ty) => {
        impl Writer for $writer {
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
                self.push(bytes);
                Ok(())
            }
        }

        impl io::Write for $writer {
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.push(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

infallible_writer!(BoundedWriter<'_>);
infallible_writer!(Counter);
