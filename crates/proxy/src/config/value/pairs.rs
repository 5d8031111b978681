//! Lists of names with values.

use super::Value;

/// Names with values, in order, as the variables of OpenTelemetry write them: `a=b,c=d`, with `%XX` for what would end a
/// value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pairs(Vec<(String, String)>);

/// Pairs whose values are secrets, which are never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretPairs(Pairs);

impl Pairs {
    /// The names and values.
    pub fn items(&self) -> &[(String, String)] {
        &self.0
    }
}

impl SecretPairs {
    /// The names and values.
    pub fn items(&self) -> &[(String, String)] {
        self.0.items()
    }
}

impl Value for Pairs {
    const KIND: &'static str = "LIST";
    const FORM: &'static str = "`NAME=VALUE` separated by commas, `%XX` for special characters in a value";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let pair = |item: &str| {
            let (name, value) = item.split_once('=')?;
            let name = name.trim();
            (!name.is_empty()).then_some((name.to_owned(), decode(value.trim())?))
        };
        text.split(',').map(pair).collect::<Option<_>>().map(Self)
    }

    fn show(&self) -> String {
        let items: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        items.join(",")
    }
}

impl Value for SecretPairs {
    const KIND: &'static str = Pairs::KIND;
    const FORM: &'static str = Pairs::FORM;
    const LIST: bool = Pairs::LIST;

    fn parse(text: &str) -> Option<Self> {
        Pairs::parse(text).map(Self)
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn redact(text: &str) -> String {
        let name = |item: &str| {
            item.split_once('=')
                .map_or_else(|| "***".to_owned(), |(name, _)| format!("{name}=***"))
        };
        match text {
            "" => String::new(),
            text => text.split(',').map(name).collect::<Vec<_>>().join(","),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let decoded = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(decoded).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'%' | b',' | b' ' | 0..0x20 | 0x7f.. => format!("%{byte:02X}"),
        byte => char::from(byte).to_string(),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_read_as_opentelemetry_writes_them() {
        let pairs =
            Pairs::parse("service.namespace=shop, team = a%2Cb ,empty=,equals=a=b").expect("well-formed");
        let expected = [
            ("service.namespace", "shop"),
            ("team", "a,b"),
            ("empty", ""),
            ("equals", "a=b"),
        ];
        assert_eq!(
            pairs.items(),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        for text in ["a", "=b", "a=b,", "a=%2", "a=%zz", "a=%ff"] {
            assert_eq!(Pairs::parse(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            SecretPairs::redact("x-key=s3cret,authorization=Bearer%20abc"),
            "x-key=***,authorization=***"
        );
        assert_eq!(SecretPairs::redact("s3cret"), "***");
        assert_eq!(SecretPairs::redact(""), "");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(items in proptest::collection::vec(("[a-z.]{1,8}", ".{0,8}"), 0..5)) {
            let pairs = Pairs(items);
            prop_assert_eq!(Pairs::parse(&pairs.show()), Some(pairs));
        }
    }
}
