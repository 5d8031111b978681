//! Percent-decoding of paths.

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
    decode_but(text, |_| false)
}

/// Same, but `%2F` and `%2f` stay as they are written: in a value of several segments a decoded one would look like the
/// end of a segment. Source: the comments of `google.api.HttpRule` on multi-segment variables.
pub(super) fn decode_but_slashes(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    decode_but(text, |byte| byte == b'/')
}

fn decode_but(text: &str, stays: impl Fn(u8) -> bool) -> Result<Cow<'_, str>, DecodeError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        if byte != b'%' {
            decoded.push(byte);
            position += 1;
            continue;
        }
        let escape = bytes
            .get(position..position + 3)
            .ok_or(DecodeError::Escape(position))?;
        let byte = escaped(escape).ok_or(DecodeError::Escape(position))?;
        if stays(byte) {
            decoded.extend_from_slice(escape);
        } else {
            decoded.push(byte);
        }
        position += 3;
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| DecodeError::NotUtf8)
}

/// The byte of `%XX`.
fn escaped(escape: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*escape.get(at)?).to_digit(16);
    // Two hexadecimal digits fit into a byte.
    Some((digit(1)? << 4 | digit(2)?) as u8)
}
