//! Percent-decoding.

use std::borrow::Cow;

/// Why an encoded text does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// A `%` at this offset is not followed by two hexadecimal digits.
    Escape(usize),
    /// The decoded bytes are not UTF-8.
    NotUtf8,
}

/// Decodes `%XX`. A `+` stays a `+`: it means a space in queries only.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        if byte == b'%' {
            let digit = |offset| {
                bytes
                    .get(position + offset)
                    .and_then(|digit| char::from(*digit).to_digit(16))
            };
            let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                return Err(DecodeError::Escape(position));
            };
            // Two hexadecimal digits fit into a byte.
            decoded.push((high << 4 | low) as u8);
            position += 3;
        } else {
            decoded.push(byte);
            position += 1;
        }
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| DecodeError::NotUtf8)
}
