//! From SQLite's errors to the contract's.

use std::sync::Arc;

use cloudstate_store::Error;
use rusqlite::ErrorCode;

use crate::files::Files;

/// What an attempt on the store's file failed with.
pub(crate) fn failed(files: &Files, attempt: &'static str, error: rusqlite::Error) -> Error {
    let store = files.name().to_owned();
    let path = || files.database().display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full { store },
        Some(ErrorCode::NotADatabase) => Error::Foreign {
            store,
            path: path(),
            reason: "it is not an SQLite database".to_owned(),
        },
        Some(ErrorCode::DatabaseCorrupt) => Error::Corrupt {
            store,
            reason: format!("{attempt} found that {error}"),
        },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Error::NotWritable {
                store,
                path: path(),
                cause: Arc::new(error),
            }
        }
        _ => Error::Failed {
            store,
            attempt,
            cause: Arc::new(error),
        },
    }
}

/// What was read contradicts itself.
pub(crate) fn corrupt(files: &Files, reason: impl Into<String>) -> Error {
    Error::Corrupt {
        store: files.name().to_owned(),
        reason: reason.into(),
    }
}

/// Whether a row with such a key is there already.
pub(crate) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// Whether the disk had no room.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
