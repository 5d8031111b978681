//! Base64 as the JSON mapping has it: written in the standard alphabet with padding, read in both alphabets, padded or not.

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, encoded_len};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Appends the text of some bytes.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len(), true).unwrap_or(0), 0);
    let written = PLAIN.encode_slice(bytes, &mut out[start..]);
    debug_assert!(written.is_ok(), "the length is that of the text");
}

/// Appends the bytes of a text. After an error some of them may be there.
pub(crate) fn decode(text: &str, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let start = out.len();
    match PLAIN.decode_vec(text, out) {
        Err(DecodeError::InvalidByte(_, b'-' | b'_')) => {
            out.truncate(start);
            FOR_URLS.decode_vec(text, out)
        }
        decoded => decoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_read() {
        for text in ["-_8=", "-_8", "+/8=", "+/8", "+/9"] {
            let mut out = b"before ".to_vec();
            decode(text, &mut out).unwrap();
            assert_eq!(out, b"before \xfb\xff", "{text}");
        }
        for text in ["?", "+_8=", "A", "+/8==", " +/8="] {
            assert!(decode(text, &mut Vec::new()).is_err(), "{text}");
        }
    }

    #[test]
    fn text_is_appended_with_padding() {
        let mut out = b"\"".to_vec();
        encode(b"\xfb\xff", &mut out);
        assert_eq!(out, b"\"+/8=");
        encode(b"", &mut out);
        assert_eq!(out, b"\"+/8=");
    }
}
