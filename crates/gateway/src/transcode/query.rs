//! Query parameters.

use std::borrow::Cow;

/// A decoded name and its value.
pub type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

/// The decoded names and values of a query, in order.
///
/// # Errors
/// The parameter, which has a `%` without two hexadecimal digits or is not UTF-8.
pub fn parse(query: &str) -> Result<Vec<Parameter<'_>>, &str> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            Ok((decode(name).ok_or(parameter)?, decode(value).ok_or(parameter)?))
        })
        .collect()
}

/// Decodes `%XX` and `+`, which is a space. `None` unless the result is text.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    // A hexadecimal digit is below 16.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let expected: Vec<(Cow<str>, Cow<str>)> = vec![
            ("a".into(), "1+ 2".into()),
            ("b".into(), "".into()),
            ("ü".into(), "=".into()),
        ];
        assert_eq!(parse("a=1%2B+2&&b&%C3%BC=%3D"), Ok(expected));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn bad_escapes_are_refused_by_parameter() {
        for bad in ["b=%", "b=%2", "b=%zz", "b=%FF", "%=1"] {
            assert_eq!(parse(&format!("a=1&{bad}&c=2")), Err(bad));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_decoded_or_refused(query in ".*") {
            let _ = parse(&query);
        }
    }
}
