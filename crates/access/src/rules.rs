//! Which rule holds for which method.

use std::collections::BTreeMap;
use std::fmt;

use crate::Allowed;

/// What a rule is about: a method, or all methods of a service that have no rule of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    /// Full name of the service.
    pub service: String,
    /// Name of the method; `None` for all.
    pub method: Option<String>,
}

impl Pattern {
    /// Reads `package.Service/Method` or `package.Service/*`. `None` if it is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes
                .next()
                .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let (service, method) = text.split_once('/')?;
        let method = (method != "*").then(|| method.to_owned());
        let is_well_formed = service.split('.').all(is_name) && method.as_deref().is_none_or(is_name);
        is_well_formed.then(|| Pattern {
            service: service.to_owned(),
            method,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.method.as_deref().unwrap_or("*"))
    }
}

/// Rules by what they are about.
///
/// As text: `PATTERN = WHO`, several of them joined by `;`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rules(BTreeMap<Pattern, Allowed>);

impl Rules {
    /// Reads the text form; a `;` at the end is allowed. `None` if it is not of that form, or a pattern comes twice.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rules = BTreeMap::new();
        let text = text.trim();
        for rule in text.strip_suffix(';').unwrap_or(text).split(';') {
            if text.is_empty() {
                break;
            }
            let (pattern, allowed) = rule.split_once('=')?;
            let pattern = Pattern::parse(pattern.trim())?;
            if rules.insert(pattern, Allowed::parse(allowed)?).is_some() {
                return None;
            }
        }
        Some(Rules(rules))
    }

    /// All of them, sorted by pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&Pattern, &Allowed)> {
        self.0.iter()
    }

    /// The rule of a method itself.
    pub fn of_method(&self, service: &str, method: &str) -> Option<&Allowed> {
        self.find(service, Some(method))
    }

    /// The rule for the methods of a service that have none themselves.
    pub fn of_service(&self, service: &str) -> Option<&Allowed> {
        self.find(service, None)
    }

    fn find(&self, service: &str, method: Option<&str>) -> Option<&Allowed> {
        self.0.get(&Pattern {
            service: service.to_owned(),
            method: method.map(str::to_owned),
        })
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self
            .iter()
            .map(|(pattern, allowed)| format!("{pattern} = {allowed}"))
            .collect();
        f.write_str(&rules.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_shown() {
        let text = "a.B/C = claim:role=admin; a.B/* = authenticated;\n x/Y=anyone ;";
        let rules = Rules::parse(text).expect("well-formed");
        assert_eq!(
            rules.to_string(),
            "a.B/* = authenticated; a.B/C = claim:role=admin; x/Y = anyone"
        );
        assert_eq!(Rules::parse(&rules.to_string()), Some(rules.clone()));
        assert_eq!(rules.of_service("a.B"), Some(&Allowed::authenticated()));
        assert_eq!(rules.of_method("a.B", "D"), None);
        assert_eq!(Rules::parse(" "), Some(Rules::default()));
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for text in [
            "a.B/C",
            "a.B = anyone",
            "/C = anyone",
            "a.B/ = anyone",
            "a..B/C = anyone",
            "*/* = anyone",
            "*=anyone",
            "a.B/C/D = anyone",
            "a.B/C = nobody",
            "a.B/C = anyone; a.B/C = internal",
            ";",
            "a.B/C = anyone;;",
            "1a/B = anyone",
            "a/B C = anyone",
        ] {
            assert_eq!(Rules::parse(text), None, "{text:?}");
        }
    }
}
