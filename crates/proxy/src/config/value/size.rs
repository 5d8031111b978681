//! Numbers of bytes: `8MiB`, `64KiB`, `1000`.

use super::Value;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Units that are shown, largest first.
const BINARY: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
/// Further units that are read.
const DECIMAL: [(&str, u64); 5] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("", 1),
];

impl Size {
    /// That many bytes.
    pub const fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes; the largest `usize` where it does not fit.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Value for Size {
    const KIND: &'static str = "SIZE";
    const FORM: &'static str = "a size such as `8MiB`, `64KiB` or `1000B`";

    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(end);
        let (_, bytes) = BINARY.iter().chain(&DECIMAL).find(|(name, _)| *name == unit)?;
        count.parse::<u64>().ok()?.checked_mul(*bytes).map(Self)
    }

    fn show(&self) -> String {
        let (unit, bytes) = BINARY
            .into_iter()
            .find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes))
            .unwrap_or(("B", 1));
        format!("{}{unit}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_binary_decimal_and_plain_numbers() {
        for (text, bytes) in [
            ("8MiB", 8 << 20),
            ("64KiB", 65_536),
            ("1GB", 1_000_000_000),
            ("1000B", 1000),
            ("7", 7),
        ] {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn refuses_unknown_units_and_what_does_not_fit() {
        for text in ["", "MiB", "8 MiB", "8M", "8mib", "-1B", "1.5MiB", "99999999TiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(count: u64, shift in 0..64_u32) {
            let size = Size(count >> shift << shift.min(40));
            prop_assert_eq!(Size::parse(&size.show()), Some(size));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-zA-Z .-]{0,24}") {
            let _ = Size::parse(&text);
        }
    }
}
