//! What can be wrong with a configuration, in the user's words.

use std::fmt;
use std::path::PathBuf;

use super::Origin;

/// One problem.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key, variable or flag that does not exist.
    #[error("unknown {what} `{name}`{}; the nearest known one is `{nearest}`", place(at))]
    Unknown {
        /// "key", "variable" or "flag".
        what: &'static str,
        /// As the user wrote it.
        name: String,
        /// Where.
        at: Origin,
        /// The known one that is written most like it.
        nearest: String,
    },

    /// A value of the wrong form or out of range.
    #[error("{key}: expected {form}, found `{value}` ({at})")]
    Value {
        /// The key.
        key: &'static str,
        /// What would be right.
        form: String,
        /// As the user wrote it, without passwords.
        value: String,
        /// Where.
        at: Origin,
    },

    /// One source sets a key twice, differently.
    #[error(
        "{key} is set twice, to `{}` ({}) and to `{}` ({}); remove one of them",
        first.0, first.1, second.0, second.1
    )]
    Twice {
        /// The key.
        key: &'static str,
        /// Value and place.
        first: (String, Origin),
        /// Value and place.
        second: (String, Origin),
    },

    /// Values that are each right but do not fit together.
    #[error("{}; {fix}", clash(.values, .rule))]
    Together {
        /// The keys concerned with their values and places.
        values: Vec<(&'static str, String, Origin)>,
        /// What is wrong with them, following their list.
        rule: &'static str,
        /// What to do.
        fix: &'static str,
    },

    /// A value that needs another key, which is not set.
    #[error("{}; {fix}", clash(.values, &format!("needs {missing}")))]
    Lacks {
        /// The key with its value and place.
        values: Vec<(&'static str, String, Origin)>,
        /// The key that is not set.
        missing: &'static str,
        /// Why, and what to do.
        fix: &'static str,
    },

    /// The file cannot be read.
    #[error("cannot read the configuration file {} (named by {at}): {source}", path.display())]
    Read {
        /// As the user named it.
        path: PathBuf,
        /// Who named it.
        at: Origin,
        /// Why.
        source: std::io::Error,
    },

    /// The file is not TOML.
    #[error("{at}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        at: Origin,
        /// Why, by the parser.
        message: String,
    },
}

fn place(at: &Origin) -> String {
    match at {
        Origin::File { .. } => format!(" ({at})"),
        // The name of a variable or flag is its place.
        _ => String::new(),
    }
}

fn clash(values: &[(&'static str, String, Origin)], rule: &str) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|(key, value, at)| format!("{key} = `{value}` ({at})"))
        .collect();
    format!("{} {rule}", values.join(" and "))
}

/// All problems of a configuration; never empty.
#[derive(Debug)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(Error::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for Errors {}
