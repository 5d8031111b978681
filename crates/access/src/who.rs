//! Who may call: the right-hand side of a rule.

use std::fmt;

use crate::{Identity, Refusal};

/// One way to be let in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Whoever reaches the port.
    Anyone,
    /// Whoever has shown a certificate or a token.
    Authenticated,
    /// No client at all: only forwards, side effects and eventing.
    Internal,
    /// Whoever has shown a certificate; with this name, if there is one.
    Certificate(Option<String>),
    /// Whoever has shown a token; about this subject, if there is one.
    Token(Option<String>),
    /// Whoever has shown a token with this claim.
    Claim {
        /// Name of the claim, or the path to it.
        name: String,
        /// Its value, or one of its values.
        value: String,
    },
}

/// Who may call: anyone for whom one of these holds. Never empty.
///
/// As text: `anyone`, `authenticated`, `internal`, or any of `certificate`, `certificate:NAME`, `token`,
/// `token:SUBJECT` and `claim:NAME=VALUE`, joined by `|`. In names and values `%7C` is `|`, `%3B` is `;`, `%25` is `%`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allowed(Vec<Who>);

impl Allowed {
    /// Whoever reaches the port.
    pub fn anyone() -> Self {
        Allowed(vec![Who::Anyone])
    }

    /// Whoever has shown who he is.
    pub fn authenticated() -> Self {
        Allowed(vec![Who::Authenticated])
    }

    /// No client.
    pub fn internal() -> Self {
        Allowed(vec![Who::Internal])
    }

    /// Reads the text form. `None` if it is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let ways: Vec<Who> = text
            .split('|')
            .map(|way| Who::parse(way.trim()))
            .collect::<Option<_>>()?;
        // These say it all; anything beside them is a mistake.
        let alone = |way: &Who| matches!(way, Who::Anyone | Who::Authenticated | Who::Internal);
        (ways.len() == 1 || !ways.iter().any(alone)).then_some(Allowed(ways))
    }

    /// The ways to be let in.
    pub fn ways(&self) -> &[Who] {
        &self.0
    }

    /// Whether it lets everybody in.
    pub fn is_anyone(&self) -> bool {
        self.0 == [Who::Anyone]
    }

    /// Whether this caller may call.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(&self, caller: &Identity) -> Result<(), Refusal> {
        if self.0.iter().any(|way| way.lets_in(caller)) {
            Ok(())
        } else if self.0 == [Who::Internal] {
            Err(Refusal::Internal)
        } else if caller.is_anonymous() {
            Err(Refusal::Unauthenticated)
        } else {
            Err(Refusal::Forbidden)
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways: Vec<_> = self.0.iter().map(Who::to_string).collect();
        f.write_str(&ways.join(" | "))
    }
}

impl Who {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) => (kind.trim_end(), Some(unescaped(rest.trim())?)),
            None => (text, None),
        };
        if rest.as_deref() == Some("") {
            return None;
        }
        match (kind, rest) {
            ("anyone", None) => Some(Who::Anyone),
            ("authenticated", None) => Some(Who::Authenticated),
            ("internal", None) => Some(Who::Internal),
            ("certificate", name) => Some(Who::Certificate(name)),
            ("token", subject) => Some(Who::Token(subject)),
            ("claim", Some(claim)) => {
                let (name, value) = claim.split_once('=')?;
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                (!name.is_empty()).then_some(Who::Claim { name, value })
            }
            _ => None,
        }
    }

    fn lets_in(&self, caller: &Identity) -> bool {
        let (certificate, token) = (caller.certificate(), caller.token());
        match self {
            Who::Anyone => true,
            Who::Authenticated => !caller.is_anonymous(),
            Who::Internal => false,
            Who::Certificate(None) => certificate.is_some(),
            Who::Certificate(Some(name)) => certificate.is_some_and(|shown| shown.has_name(name)),
            Who::Token(None) => token.is_some(),
            Who::Token(Some(subject)) => token.is_some_and(|shown| shown.subject == *subject),
            Who::Claim { name, value } => token.is_some_and(|shown| shown.has_claim(name, value)),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Anyone => f.write_str("anyone"),
            Who::Authenticated => f.write_str("authenticated"),
            Who::Internal => f.write_str("internal"),
            Who::Certificate(None) => f.write_str("certificate"),
            Who::Certificate(Some(name)) => write!(f, "certificate:{}", escaped(name)),
            Who::Token(None) => f.write_str("token"),
            Who::Token(Some(subject)) => write!(f, "token:{}", escaped(subject)),
            Who::Claim { name, value } => write!(f, "claim:{}={}", escaped(name), escaped(value)),
        }
    }
}

/// What would end a name or value, or a rule, before its time.
const SPECIAL: [(&str, &str); 3] = [("%", "%25"), ("|", "%7C"), (";", "%3B")];

fn escaped(text: &str) -> String {
    SPECIAL.iter().fold(text.to_owned(), |text, (plain, escape)| {
        text.replace(plain, escape)
    })
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let is_of = |escape: &str| {
            part.get(..2)
                .is_some_and(|code| code.eq_ignore_ascii_case(&escape[1..]))
        };
        let (character, _) = SPECIAL.iter().find(|(_, escape)| is_of(escape))?;
        plain.push_str(character);
        plain.push_str(&part[2..]);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<Who> {
        Allowed::parse(text).unwrap_or_else(|| panic!("{text}")).0
    }

    #[test]
    fn every_way_is_read() {
        assert_eq!(parsed("anyone"), [Who::Anyone]);
        assert_eq!(parsed(" internal "), [Who::Internal]);
        assert_eq!(
            parsed("certificate | token:ann|claim:realm.roles = admin"),
            [
                Who::Certificate(None),
                Who::Token(Some("ann".into())),
                Who::Claim {
                    name: "realm.roles".into(),
                    value: "admin".into()
                },
            ]
        );
        assert_eq!(
            parsed("certificate:spiffe://example.org/a"),
            [Who::Certificate(Some("spiffe://example.org/a".into()))]
        );
        assert_eq!(parsed("token:a%7Cb%3b%25"), [Who::Token(Some("a|b;%".into()))]);
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for text in [
            "",
            "|",
            "anybody",
            "Anyone",
            "anyone | token",
            "internal|certificate",
            "authenticated:x",
            "token:",
            "claim",
            "claim:x",
            "claim:=x",
            "certificate: ",
            "token:%",
            "token:%41",
            "token |",
        ] {
            assert_eq!(Allowed::parse(text), None, "{text:?}");
        }
    }

    fn way() -> impl Strategy<Value = Who> {
        let text = "[a-z%|;=:,/ ]{0,6}[a-z%|;=:,/]";
        prop_oneof![
            Just(Who::Certificate(None)),
            Just(Who::Token(None)),
            text.prop_map(|name| Who::Certificate(Some(name.trim().to_owned()))),
            text.prop_map(|name| Who::Token(Some(name.trim().to_owned()))),
            ("[a-z%|;:./]{1,6}", text).prop_map(|(name, value)| Who::Claim {
                name,
                value: value.trim().to_owned()
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(ways in proptest::collection::vec(way(), 1..4)) {
            let allowed = Allowed(ways);
            prop_assert_eq!(Allowed::parse(&allowed.to_string()), Some(allowed));
        }
    }
}
