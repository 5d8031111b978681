//! The algorithms by which tokens may be signed.

use std::fmt;

use jsonwebtoken::Algorithm;

/// A set of signature algorithms. Unsigned tokens (`none`) are in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Algorithms(u16);

const ALL: [(&str, Algorithm); 12] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
];

impl Algorithms {
    /// The names of all known ones, those with a shared secret last.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }

    /// The set of these. `None` if one is not known or there is none.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut set = 0;
        for name in names {
            set |= 1 << ALL.iter().position(|(known, _)| *known == name)?;
        }
        (set != 0).then_some(Algorithms(set))
    }

    pub(super) fn contains(self, algorithm: Algorithm) -> bool {
        ALL.iter()
            .position(|(_, known)| *known == algorithm)
            .is_some_and(|at| self.0 & (1 << at) != 0)
    }
}

/// The names, separated by commas.
impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ALL.iter().filter(|(_, algorithm)| self.contains(*algorithm));
        let names: Vec<_> = names.map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_sets_and_back() {
        let set = Algorithms::from_names(["ES256", "RS256"]).expect("known");
        assert_eq!(set.to_string(), "RS256,ES256");
        assert!(set.contains(Algorithm::ES256) && !set.contains(Algorithm::HS256));
        for names in [vec![], vec!["none"], vec!["RS256", "None"], vec!["rs256"]] {
            assert_eq!(Algorithms::from_names(names.clone()), None, "{names:?}");
        }
        assert_eq!(Algorithms::names().count(), ALL.len());
    }
}
