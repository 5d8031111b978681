//! Names of traces and spans.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident of $bytes:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The bytes, in the order in which they are written. Never all zero.
            pub fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Reads lower-case hexadecimal digits. `None` if they are others, more, fewer, or all zero.
            pub fn parse(text: &[u8]) -> Option<Self> {
                let mut bytes = [0; $bytes];
                if text.len() != 2 * $bytes {
                    return None;
                }
                for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    *byte = digit(digits[0])? << 4 | digit(digits[1])?;
                }
                (bytes != [0; $bytes]).then_some($name(bytes))
            }
        }

        /// Lower-case hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// Names a trace.
    TraceId of 16;
    /// Names a span in its trace.
    SpanId of 8;
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Makes ids that nobody else makes: a count, hashed under keys from the system's source of random numbers.
#[derive(Debug, Default)]
pub(super) struct Ids {
    next: AtomicU64,
    keys: [RandomState; 3],
}

impl Ids {
    pub(super) fn trace(&self) -> TraceId {
        let number = self.next.fetch_add(1, Relaxed);
        let (high, low) = (self.keys[0].hash_one(number), self.keys[1].hash_one(number));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        // Half of it is enough to be different from zero.
        bytes[8..].copy_from_slice(&low.max(1).to_be_bytes());
        TraceId(bytes)
    }

    pub(super) fn span(&self) -> SpanId {
        let number = self.next.fetch_add(1, Relaxed);
        SpanId(self.keys[2].hash_one(number).max(1).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written_and_not_otherwise() {
        let id = SpanId::parse(b"00f067aa0ba902b7").unwrap();
        assert_eq!(id.to_string(), "00f067aa0ba902b7");
        for text in [
            "00f067aa0ba902b",
            "00f067aa0ba902b70",
            "00F067AA0BA902B7",
            "0000000000000000",
            "00f067aa0ba902bg",
            "",
        ] {
            assert_eq!(SpanId::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn no_id_comes_twice() {
        let (ids, others) = (Ids::default(), Ids::default());
        let traces: HashSet<_> = (0..1000).flat_map(|_| [ids.trace(), others.trace()]).collect();
        let spans: HashSet<_> = (0..1000).flat_map(|_| [ids.span(), others.span()]).collect();
        assert_eq!((traces.len(), spans.len()), (2000, 2000));
    }
}
