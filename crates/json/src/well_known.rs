//! Messages of `google.protobuf` with a JSON form of their own, and the text of those that are written as text.

use prost_reflect::{Kind, MessageDescriptor};
use prost_types::{Duration, FieldMask, Timestamp};

use crate::types::Shape;

/// The fields that a well-known type has to have: number, kind, and whether it is repeated.
type Layout = &'static [(u32, &'static str, bool)];

const SECONDS_AND_NANOS: Layout = &[(1, "int64", false), (2, "int32", false)];
const VALUE: Layout = &[
    (1, "google.protobuf.NullValue", false),
    (2, "double", false),
    (3, "string", false),
    (4, "bool", false),
    (5, "google.protobuf.Struct", false),
    (6, "google.protobuf.ListValue", false),
];

/// The shape of a message type that is not special for another reason. A type that has a well-known name but other fields
/// is left to prost-reflect.
pub(crate) fn shape(descriptor: &MessageDescriptor) -> Shape {
    let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") else {
        return Shape::Object;
    };
    let (shape, layout): (Shape, Layout) = match name {
        "Timestamp" => (Shape::Timestamp, SECONDS_AND_NANOS),
        "Duration" => (Shape::Duration, SECONDS_AND_NANOS),
        "FieldMask" => (Shape::FieldMask, &[(1, "string", true)]),
        "Value" => (Shape::Value, VALUE),
        "Struct" => (
            Shape::Field(0),
            &[(1, "google.protobuf.Struct.FieldsEntry", true)],
        ),
        "ListValue" => (Shape::Field(0), &[(1, "google.protobuf.Value", true)]),
        "DoubleValue" => (Shape::Field(0), &[(1, "double", false)]),
        "FloatValue" => (Shape::Field(0), &[(1, "float", false)]),
        "Int64Value" => (Shape::Field(0), &[(1, "int64", false)]),
        "UInt64Value" => (Shape::Field(0), &[(1, "uint64", false)]),
        "Int32Value" => (Shape::Field(0), &[(1, "int32", false)]),
        "UInt32Value" => (Shape::Field(0), &[(1, "uint32", false)]),
        "BoolValue" => (Shape::Field(0), &[(1, "bool", false)]),
        "StringValue" => (Shape::Field(0), &[(1, "string", false)]),
        "BytesValue" => (Shape::Field(0), &[(1, "bytes", false)]),
        "Any" => (Shape::Any, &[(1, "string", false), (2, "bytes", false)]),
        _ => return Shape::Object,
    };
    if has(descriptor, layout) {
        shape
    } else {
        Shape::Reflected
    }
}

fn has(descriptor: &MessageDescriptor, layout: Layout) -> bool {
    let fields = descriptor.fields().map(|field| {
        let kind = match field.kind() {
            Kind::Message(message) => message.full_name().to_owned(),
            Kind::Enum(of) => of.full_name().to_owned(),
            scalar => format!("{scalar:?}"),
        };
        (field.number(), kind, field.is_list() || field.is_map())
    });
    let wanted = layout
        .iter()
        .map(|&(number, kind, repeated)| (number, kind.to_owned(), repeated));
    fields.eq(wanted)
}

const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;
const DURATION_SECONDS_MAX: u64 = 315_576_000_000;
const NANOS_MAX: u32 = 999_999_999;
const NANOS_DIGITS: usize = 9;

/// Reads a point in time in the form of RFC 3339, `T` and `Z` in upper case.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, &'static str> {
    if !is_rfc3339(text.as_bytes()) {
        return Err("expected a time such as 2006-01-02T15:04:05Z");
    }
    let timestamp = text.parse().map_err(|_| "there is no such time")?;
    checked_timestamp(timestamp)
}

/// prost-types reads more forms than the mapping has, leap seconds and fractions of a nanosecond among them.
fn is_rfc3339(text: &[u8]) -> bool {
    let like = |text: &[u8], form: &[u8]| {
        let alike = |(byte, form): (&u8, &u8)| byte == form || (*form == b'0' && byte.is_ascii_digit());
        text.len() == form.len() && text.iter().zip(form).all(alike)
    };
    let Some((time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let zone = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match fraction.iter().position(|byte| !byte.is_ascii_digit()) {
            Some(digits @ 1..=NANOS_DIGITS) => &fraction[digits..],
            _ => return false,
        },
    };
    let is_offset = |form| like(zone, form) && zone[1..3] <= b"23"[..] && zone[4..6] <= b"59"[..];
    like(time, b"0000-00-00T00:00:00")
        && time[17..19] <= b"59"[..]
        && (zone == b"Z" || is_offset(b"+00:00") || is_offset(b"-00:00"))
}

/// Refuses what has no text: the years are 1 to 9999, and nanoseconds count forward.
pub(crate) fn checked_timestamp(timestamp: Timestamp) -> Result<Timestamp, &'static str> {
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&timestamp.seconds) {
        return Err("the time is not in the years 1 to 9999");
    }
    match u32::try_from(timestamp.nanos) {
        Ok(0..=NANOS_MAX) => Ok(timestamp),
        _ => Err("the nanoseconds are not from 0 to 999,999,999"),
    }
}

/// Reads a time span in seconds, such as `-1.5s`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    let expected = "expected seconds such as 1.5s";
    let fraction = text.trim_end_matches('s').split_once('.');
    if fraction.is_some_and(|(_, digits)| digits.len() > NANOS_DIGITS) {
        return Err(expected);
    }
    checked_duration(text.parse().map_err(|_| expected)?)
}

/// Refuses what has no text: the limit is about 10,000 years, and there is one sign.
pub(crate) fn checked_duration(duration: Duration) -> Result<Duration, &'static str> {
    let Duration { seconds, nanos } = duration;
    if seconds.unsigned_abs() > DURATION_SECONDS_MAX {
        Err("the time span is longer than 315,576,000,000 s")
    } else if nanos.unsigned_abs() > NANOS_MAX {
        Err("the nanoseconds are not from -999,999,999 to 999,999,999")
    } else if seconds.signum() * i64::from(nanos.signum()) < 0 {
        Err("seconds and nanoseconds have different signs")
    } else {
        Ok(duration)
    }
}

/// Reads the paths of a mask, comma-separated and in lowerCamel.
pub(crate) fn field_mask(text: &str) -> Result<FieldMask, &'static str> {
    let paths = text.split(',').filter(|path| !path.is_empty()).map(snake);
    let paths = paths.collect::<Option<_>>();
    let paths = paths.ok_or("expected paths in lowerCamel, separated by commas")?;
    Ok(FieldMask { paths })
}

fn snake(path: &str) -> Option<String> {
    let mut snake = String::with_capacity(path.len() + 4);
    for character in path.chars() {
        match character {
            '_' => return None,
            'A'..='Z' => snake.extend(['_', character.to_ascii_lowercase()]),
            other => snake.push(other),
        }
    }
    Some(snake)
}

/// Writes a mask; refused if it could not be read back.
pub(crate) fn field_mask_text(mask: &FieldMask) -> Result<String, &'static str> {
    let mut text = String::new();
    for path in &mask.paths {
        if !text.is_empty() {
            text.push(',');
        }
        camel(path, &mut text).ok_or("a path of the mask has no lowerCamel form")?;
    }
    Ok(text)
}

fn camel(path: &str, text: &mut String) -> Option<()> {
    let mut after_underscore = false;
    for character in path.chars() {
        match (after_underscore, character) {
            (_, 'A'..='Z') => return None,
            (true, 'a'..='z') => text.push(character.to_ascii_uppercase()),
            (true, '.') => text.push('.'),
            (true, _) => return None,
            (false, '_') => {}
            (false, other) => text.push(other),
        }
        after_underscore = !after_underscore && character == '_';
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_form_of_the_mapping_only() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1970-01-01T00:00:01.5Z", 1, 500_000_000),
            ("1970-01-01T00:00:00.123456789+01:00", -3600, 123_456_789),
            ("1970-01-01T00:00:00-23:59", 86_340, 0),
            ("1969-12-31T23:00:00-01:00", 0, 0),
            ("0001-01-01T00:00:00Z", SECONDS_MIN, 0),
            ("9999-12-31T23:59:59.999999999Z", SECONDS_MAX, 999_999_999),
        ] {
            assert_eq!(timestamp(text), Ok(Timestamp { seconds, nanos }), "{text}");
        }
        for text in [
            "",
            "noon",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.5",
            "1970-01-01T00:00:00+0100",
            "1970-02-30T00:00:00Z",
            "1970-00-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "2016-12-31T23:59:60Z",
            "1970-01-01T00:00:00.1234567890Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00-00:60",
            "1970-01-01T00:00:00ZZ",
            "0000-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "1970-01-01T00:00:0\u{663}",
        ] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_spans_have_seconds_and_a_sign() {
        let read = |text| duration(text).map(|duration| (duration.seconds, duration.nanos));
        assert_eq!(read("1.5s"), Ok((1, 500_000_000)));
        assert_eq!(read("-0.000000001s"), Ok((0, -1)));
        assert_eq!(
            read("-315576000000.999999999s"),
            Ok((-315_576_000_000, -999_999_999))
        );
        for text in [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "1 s",
            "+1s",
            "1m",
            "315576000001s",
            "0.1234567890s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (seconds, nanos) in [(1, -1), (-1, 1), (0, 1_000_000_000), (-1, -1_000_000_000)] {
            assert!(
                checked_duration(Duration { seconds, nanos }).is_err(),
                "{seconds} {nanos}"
            );
        }
        for nanos in [-1, 1_000_000_000] {
            assert!(
                checked_timestamp(Timestamp { seconds: 0, nanos }).is_err(),
                "{nanos}"
            );
        }
    }

    #[test]
    fn masks_change_case_both_ways() {
        let paths = ["user.display_name", "photo"].map(String::from).to_vec();
        let mask = FieldMask { paths };
        assert_eq!(field_mask("user.displayName,,photo"), Ok(mask.clone()));
        assert_eq!(field_mask_text(&mask).as_deref(), Ok("user.displayName,photo"));
        assert!(field_mask("display_name").is_err());
        for path in ["fooBar", "foo_3_bar", "foo__bar"] {
            let paths = vec![path.to_owned()];
            assert!(field_mask_text(&FieldMask { paths }).is_err(), "{path}");
        }
    }
}
