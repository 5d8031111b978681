//! Why a request to the function failed, and what is known about it.

/// A failed request or stream. [`Error::is_unavailable`] says whether the function can have seen it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection could be made.
    #[error("the function at {target} cannot be reached: {reason}")]
    Unavailable {
        /// Where the function should listen.
        target: String,
        /// What happened.
        reason: String,
    },
    /// The function's server said that it has not processed this stream: it is shutting down or overloaded.
    #[error("the function at {target} did not take the request: {reason}")]
    NotProcessed {
        /// Where the function listens.
        target: String,
        /// What the server said.
        reason: String,
    },
    /// Every connection has as many streams as the function's server allows.
    #[error(
        "all {connections} connections to the function at {target} are full with {streams} open streams: \
         raise the limit of connections, or the server's limit of concurrent streams"
    )]
    StreamLimit {
        /// Where the function listens.
        target: String,
        /// Connections in use, the link's maximum.
        connections: usize,
        /// Streams open on them.
        streams: usize,
    },
    /// The link was closed by its owner.
    #[error("the link to the function at {target} is closed")]
    Closed {
        /// Where the function listens.
        target: String,
    },
    /// The connection ended while the stream was open. What the function did with what it had is not known.
    #[error("the connection to the function at {target} was lost: {reason}")]
    ConnectionLost {
        /// Where the function listened.
        target: String,
        /// What happened.
        reason: String,
    },
    /// The function's server reset the stream.
    #[error("the function at {target} reset the stream: {reason}")]
    Reset {
        /// Where the function listens.
        target: String,
        /// The HTTP/2 reason.
        reason: String,
    },
    /// The function's side of the stream has ended, so nothing more can be sent. The receiver says how it ended.
    #[error("the function has ended the stream")]
    StreamEnded,
    /// The function ended the call with a gRPC status other than OK.
    #[error("{message} (gRPC status {code})")]
    Status {
        /// The number that the function sent, known or not.
        code: i32,
        /// Its `grpc-message`, decoded.
        message: String,
    },
    /// Something answered, but not a gRPC server.
    #[error("{target} does not answer as a gRPC server ({reason}): is this the function's port?")]
    NotGrpc {
        /// What was connected to.
        target: String,
        /// What it answered.
        reason: String,
    },
    /// A message from the function is longer than allowed.
    #[error("a message of {actual} bytes from the function exceeds the limit of {limit} bytes")]
    MessageTooLarge {
        /// `max_message_bytes`.
        limit: usize,
        /// Length that the message's prefix announced.
        actual: usize,
    },
    /// The function's bytes are not what gRPC or the message type asks for.
    #[error("malformed answer from the function: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The function's answer ends before it is complete.
    #[error("malformed answer from the function: {reason}")]
    Truncated {
        /// What is missing.
        reason: &'static str,
    },
    /// The deadline passed before the answer came.
    #[error("the function did not answer in time")]
    DeadlineExceeded,
}

impl Error {
    /// Whether the request is known not to have reached the function's code, so that repeating it is safe.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Error::Unavailable { .. }
                | Error::NotProcessed { .. }
                | Error::StreamLimit { .. }
                | Error::Closed { .. }
                | Error::NotGrpc { .. }
        )
    }

    /// Whether the function is gone or was never there; what a stream had done before is not known.
    pub fn is_lost(&self) -> bool {
        matches!(self, Error::Unavailable { .. } | Error::ConnectionLost { .. })
    }

    /// Whether the function sent what is no message, or one that is too long.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Error::MessageTooLarge { .. } | Error::Malformed { .. })
    }

    /// Reads what HTTP/2 says about a stream.
    pub(crate) fn of_stream(error: &h2::Error, target: &str) -> Error {
        let target = target.to_owned();
        let reason = error.to_string();
        // The server names the last stream that it handled in GOAWAY, and only later streams get that error.
        let refused = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        if refused && error.is_remote() {
            Error::NotProcessed { target, reason }
        } else if error.is_reset() && error.is_remote() {
            Error::Reset { target, reason }
        } else {
            Error::ConnectionLost { target, reason }
        }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Error {
        Error::Malformed {
            reason: reason.into(),
        }
    }
}
