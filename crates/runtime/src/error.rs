//! Why a call failed, and what its caller may conclude.

use std::time::Duration;

/// The gRPC status codes that the runtime answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// The code of a status number; numbers that gRPC does not know, and 0, are `Unknown`.
    pub fn from_number(number: i32) -> Self {
        use Code::*;
        const ALL: [Code; 16] = [
            Cancelled,
            Unknown,
            InvalidArgument,
            DeadlineExceeded,
            NotFound,
            AlreadyExists,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            Aborted,
            OutOfRange,
            Unimplemented,
            Internal,
            Unavailable,
            DataLoss,
            Unauthenticated,
        ];
        ALL.into_iter()
            .find(|code| *code as i32 == number)
            .unwrap_or(Unknown)
    }
}

/// A failed call. [`CallError::code`] says what the client sees; the variant says why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The function declined the command with this text. Nothing else is wrong.
    #[error("{0}")]
    Failure(String),
    /// The function ended an action call with a gRPC status.
    #[error("{message}")]
    Status {
        /// The status of the function.
        code: Code,
        /// Its text.
        message: String,
    },
    /// The request is malformed or names no entity.
    #[error("{0}")]
    InvalidRequest(String),
    /// The function broke the protocol.
    #[error("{0}")]
    Violation(String),
    /// The entity's stream failed on the function's side with a failure of its own; details are in the log.
    #[error("{0}")]
    EntityFailed(String),
    /// The function is gone or not there yet. Known not executed.
    #[error("{0}")]
    FunctionUnavailable(String),
    /// The function did not answer in time, or the caller's deadline passed.
    #[error("{0}")]
    DeadlineExceeded(String),
    /// The store does not say whether the command committed. Not safe to retry blindly.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The store cannot be reached or refused the command. Known not executed.
    #[error("{0}")]
    StoreUnavailable(String),
    /// The entity has too many waiting commands. Known not executed.
    #[error("{message}")]
    QueueFull {
        /// Which entity and limit.
        message: String,
        /// When a retry has a chance.
        retry_after: Duration,
    },
    /// The proxy has too much to do or is draining. Known not executed.
    #[error("{message}")]
    Overloaded {
        /// Which limit.
        message: String,
        /// When a retry has a chance.
        retry_after: Duration,
    },
    /// A forward or side effect leads nowhere or in a circle.
    #[error("{0}")]
    Unroutable(String),
    /// The caller has gone.
    #[error("the caller cancelled")]
    Cancelled,
}

impl CallError {
    /// The gRPC status code that the client gets.
    pub fn code(&self) -> Code {
        match self {
            CallError::Failure(_) | CallError::EntityFailed(_) | CallError::OutcomeUnknown(_) => {
                Code::Unknown
            }
            CallError::Status { code, .. } => *code,
            CallError::InvalidRequest(_) => Code::InvalidArgument,
            CallError::Violation(_) | CallError::Unroutable(_) => Code::Internal,
            CallError::FunctionUnavailable(_)
            | CallError::StoreUnavailable(_)
            | CallError::Overloaded { .. } => Code::Unavailable,
            CallError::DeadlineExceeded(_) => Code::DeadlineExceeded,
            CallError::QueueFull { .. } => Code::ResourceExhausted,
            CallError::Cancelled => Code::Cancelled,
        }
    }

    /// The same failure, of something that a command caused after it had changed state itself. Whoever hears of it must
    /// not take the whole for not executed.
    pub(crate) fn after_effect(self, path: &str) -> Self {
        match self.code() {
            Code::Unavailable | Code::ResourceExhausted => CallError::Status {
                code: Code::Unknown,
                message: format!("{path} took effect, but what it led to was not executed: {self}"),
            },
            _ => self,
        }
    }

    /// When a retry has a chance, for errors of load.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            CallError::QueueFull { retry_after, .. } | CallError::Overloaded { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// The machine-readable reason (`google.rpc.ErrorInfo.reason`), where the code alone does not say enough.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            CallError::OutcomeUnknown(_) => Some("OUTCOME_UNKNOWN"),
            _ => None,
        }
    }
}
