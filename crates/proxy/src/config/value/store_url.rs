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
    /// `postgres://…` keeps state in that database, which checks the rest of the URL when it is opened; `postgres:`
    /// stands for the variables of the original proxy.
    Postgres(String),
}

impl Value for StoreUrl {
    const KIND: &'static str = "URL";
    const FORM: &'static str = "`memory:`, `sqlite:DIRECTORY` or `postgres://USER:PASSWORD@HOST/DATABASE`";

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("memory", "") => Some(Self::Memory),
            // Two slashes would begin a host, which a directory does not have.
            ("sqlite", directory) if !directory.is_empty() && !directory.starts_with("//") => {
                Some(Self::Sqlite(directory.into()))
            }
            ("postgres" | "postgresql", rest) if rest.starts_with("//") => {
                Some(Self::Postgres(text.to_owned()))
            }
            ("postgres", "") => Some(Self::Postgres(text.to_owned())),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Memory => "memory:".to_owned(),
            Self::Sqlite(directory) => format!("sqlite:{}", directory.display()),
            Self::Postgres(url) => url.clone(),
        }
    }
}

/// Hides the password of a URL: `a://user:secret@host` becomes `a://user:***@host`, and `a://host?password=secret`
/// becomes `a://host?password=***`. Other text is unchanged.
pub fn redact(text: &str) -> String {
    let text = redact_user(text);
    let Some((address, query)) = text.split_once('?').filter(|_| text.contains("password=")) else {
        return text;
    };
    let hidden = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if key.ends_with("password") => format!("{key}=***"),
        _ => pair.to_owned(),
    });
    format!("{address}?{}", hidden.collect::<Vec<_>>().join("&"))
}

fn redact_user(text: &str) -> String {
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
        for url in [
            "postgres://ann@db/shop?schema=a",
            "postgresql://db/x",
            "postgres:",
        ] {
            assert_eq!(StoreUrl::parse(url), Some(StoreUrl::Postgres(url.to_owned())));
        }
        for text in [
            "",
            "memory",
            "memory:x",
            "sqlite:",
            "sqlite://x",
            "postgres:x",
            "mysql://x",
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
        assert_eq!(
            redact("postgres://db/x?password=s3cret&schema=a"),
            "postgres://db/x?password=***&schema=a"
        );
    }
}
