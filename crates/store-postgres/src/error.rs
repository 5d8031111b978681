//! From PostgreSQL's errors to the contract's.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_store::{Error, Verdict};
use tokio_postgres::error::{Severity, SqlState};

/// Why a statement has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was never sent.
    NotSent(Error),
    /// It was sent; the server refused it, or the connection broke.
    Sent(tokio_postgres::Error),
    /// It was sent, and no answer came in this time.
    Late(Duration),
}

/// A statement took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

impl Failure {
    pub(crate) fn into_error(self, store: &str, attempt: &'static str) -> Error {
        match self {
            Failure::NotSent(error) => error,
            Failure::Sent(error) => failed(store, attempt, error),
            Failure::Late(limit) => Error::Failed {
                store: store.to_owned(),
                attempt,
                cause: Arc::new(Late(limit)),
            },
        }
    }

    /// What this says about the statement's transaction.
    pub(crate) fn into_verdict(self, store: &str, attempt: &'static str) -> Verdict {
        let known = match &self {
            Failure::NotSent(_) => true,
            Failure::Sent(error) => is_rolled_back(error),
            Failure::Late(_) => false,
        };
        let error = self.into_error(store, attempt);
        if known {
            Verdict::NotApplied(error)
        } else {
            Verdict::Unknown(error)
        }
    }

    /// Whether a row of the statement is the cause, so that the others could be written without it.
    pub(crate) fn is_of_a_row(&self) -> bool {
        let Failure::Sent(error) = self else { return false };
        // Cardinality, data exception, integrity constraint, program limit.
        let classes = ["21", "22", "23", "54"];
        error
            .code()
            .is_some_and(|code| classes.iter().any(|class| code.code().starts_with(class)))
    }

    /// Whether a row with such a key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Failure::Sent(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }
}

/// Whether the server says that the transaction was undone. An error ends an implicit transaction; but what ends the whole
/// connection may come after its commit, and some errors say that they do not know.
fn is_rolled_back(error: &tokio_postgres::Error) -> bool {
    let Some(refused) = error.as_db_error() else {
        return false;
    };
    // Connection, operator intervention, system, internal.
    let unsure = ["08", "57", "58", "XX"];
    let code = refused.code();
    refused.parsed_severity() == Some(Severity::Error)
        && code.code() != "40003"
        && !unsure.iter().any(|class| code.code().starts_with(class))
}

/// What an attempt failed with.
pub(crate) fn failed(store: &str, attempt: &'static str, error: tokio_postgres::Error) -> Error {
    let name = store.to_owned();
    match error.code() {
        Some(&SqlState::DISK_FULL) => Error::Full { store: name },
        Some(&(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::READ_ONLY_SQL_TRANSACTION)) => {
            Error::NotWritable {
                store: name,
                path: attempt.to_owned(),
                cause: Arc::new(Told(error)),
            }
        }
        Some(&(SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED)) => {
            corrupt(store, format!("{attempt} found that {}", Told(error)))
        }
        _ => Error::Failed {
            store: name,
            attempt,
            cause: Arc::new(Told(error)),
        },
    }
}

/// The driver's error with what the server said, which the driver keeps for its source.
#[derive(Debug)]
struct Told(tokio_postgres::Error);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.as_db_error(), std::error::Error::source(&self.0)) {
            (Some(refused), _) => {
                write!(f, "{} ({})", refused.message(), refused.code().code())?;
                refused.detail().map_or(Ok(()), |detail| write!(f, ": {detail}"))
            }
            (None, Some(source)) => write!(f, "{}: {source}", self.0),
            (None, None) => self.0.fmt(f),
        }
    }
}

impl std::error::Error for Told {}

/// What was read contradicts itself.
pub(crate) fn corrupt(store: &str, reason: impl Into<String>) -> Error {
    Error::Corrupt {
        store: store.to_owned(),
        reason: reason.into(),
    }
}

/// The server does not do what a store needs.
pub(crate) fn unsuitable(store: &str, reason: String) -> Error {
    Error::Unsuitable {
        store: store.to_owned(),
        reason,
    }
}
