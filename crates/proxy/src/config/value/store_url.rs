//! Where state is kept, as a URL.

use std::path::PathBuf;

use super::Value;

/// A store, by its URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreUrl {
    /// `memory:` keeps state until the process ends.
    Memory,
    /// `sqlite:DIRECTORY` keeps state in files of that directory.
    Sqlite(PathBuf),
}

impl Value for StoreUrl {
    const KIND: &'static str = "URL";
    const FORM: &'static str = "`memory:` or `sqlite:DIRECTORY`";

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("memory", "") => Some(Self::Memory),
            // Two slashes would begin a host, which a directory does not have.
            ("sqlite", directory) if !directory.is_empty() && !directory.starts_with("//") => {
                Some(Self::Sqlite(directory.into()))
            }
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Memory => "memory:".to_owned(),
            Self::Sqlite(directory) => format!("sqlite:{}", directory.display()),
        }
    }
}

/// Hides the password of a URL: `a://user:secret@host` becomes `a://user:***@host`. Other text is unchanged.
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // An unescaped `/` or `@` in a password is common; the last `@` hides too much rather than too little.
    let Some(at) = rest.rfind('@') else {
        return text.to_owned();
    };
    let Some(colon) = rest[..at].find(':') else {
        return text.to_owned();
    };
    format!("{scheme}://{}:***{}", &rest[..colon], &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_schemes() {
        assert_eq!(StoreUrl::parse("memory:"), Some(StoreUrl::Memory));
        assert_eq!(
            StoreUrl::parse("sqlite:/var/lib/x"),
            Some(StoreUrl::Sqlite("/var/lib/x".into()))
        );
        for text in [
            "",
            "memory",
            "memory:x",
            "sqlite:",
            "sqlite://x",
            "postgres://x",
            "./data",
        ] {
            assert_eq!(StoreUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn passwords_are_hidden() {
        assert_eq!(
            redact("postgres://ann:s3cret@db:5432/x"),
            "postgres://ann:***@db:5432/x"
        );
        assert_eq!(redact("postgres://ann:s3/c@ret@db/x"), "postgres://ann:***@db/x");
        assert_eq!(redact("postgres://ann@db/x"), "postgres://ann@db/x");
        assert_eq!(redact("postgres://db:5432/x"), "postgres://db:5432/x");
        assert_eq!(redact("sqlite:./a@b"), "sqlite:./a@b");
    }
}
