//! Lengths of time: `10s`, `500ms`, `1m30s`.

use std::time::Duration;

use super::Value;

/// Units and their length in nanoseconds, longest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Value for Duration {
    const KIND: &'static str = "DURATION";
    const FORM: &'static str = "a duration such as `10s`, `500ms` or `1m30s`";

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut nanos = 0_u128;
        while !rest.is_empty() || nanos == 0 {
            let (count, after) = split(rest, |c| c.is_ascii_digit())?;
            let (unit, after) = split(after, |c| c.is_ascii_alphabetic())?;
            let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
            nanos = nanos.checked_add(count.parse::<u128>().ok()?.checked_mul(*length)?)?;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
        let below_second = u32::try_from(nanos % 1_000_000_000).ok()?;
        Some(Self::new(seconds, below_second))
    }

    fn show(&self) -> String {
        let mut rest = self.as_nanos();
        if rest == 0 {
            return "0s".to_owned();
        }
        let mut text = String::new();
        for (unit, length) in UNITS {
            if rest >= length {
                text += &format!("{}{unit}", rest / length);
                rest %= length;
            }
        }
        text
    }
}

/// The longest non-empty beginning of such characters, and what follows.
fn split(text: &str, of: fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c| !of(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> Option<u128> {
        Duration::parse(text).map(|time| time.as_millis())
    }

    #[test]
    fn reads_single_and_joined_units() {
        assert_eq!(millis("10s"), Some(10_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("2h"), Some(7_200_000));
        assert_eq!(millis("0s"), Some(0));
        assert_eq!(millis("0s5ms"), Some(5));
    }

    #[test]
    fn refuses_what_has_no_unit_or_is_too_long() {
        for text in [
            "",
            "10",
            "s",
            "10 s",
            "-1s",
            "1.5s",
            "10x",
            "10s5",
            "99999999999999999999999d",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn shows_the_usual_values_as_people_write_them() {
        for text in ["10s", "500ms", "1m", "1m30s", "30d"] {
            assert_eq!(
                Duration::parse(text).map(|time| time.show()).as_deref(),
                Some(text)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(seconds: u64, nanos in 0..1_000_000_000_u32) {
            let time = Duration::new(seconds, nanos);
            prop_assert_eq!(Duration::parse(&time.show()), Some(time));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-z .-]{0,24}") {
            let _ = Duration::parse(&text);
        }
    }
}
