//! Why a text or a message was refused.

use std::fmt;

/// A JSON text that does not give a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    /// Whether it is no JSON at all; else it is JSON that does not fit the message.
    pub malformed: bool,
    /// The field at fault, such as `lines[1].quantity`; empty for the text as a whole, and where it is malformed.
    pub path: String,
    /// The line, from 1, where the fault was noticed.
    pub line: usize,
    /// The byte in that line, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JsonError { path, reason, .. } = self;
        let place = format_args!("line {}, column {}", self.line, self.column);
        match (self.malformed, path.as_str()) {
            (true, _) => write!(f, "malformed JSON at {place}: {reason}"),
            (false, "") => write!(f, "the JSON at {place}: {reason}"),
            (false, path) => write!(f, "field [{path}] at {place}: {reason}"),
        }
    }
}

/// Bytes that are no message of the type, or a message that JSON has no form for.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct WireError {
    /// The field at fault, such as `lines[1].quantity`; empty for the message as a whole.
    pub path: String,
    /// The byte, from 0, where its value begins. `None` where several values were merged.
    pub offset: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "field [{}]", self.path)?;
            if let Some(offset) = self.offset {
                write!(f, " at byte {offset}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}

/// A [`WireError`] on its way up; boxed, since it is rare and would make every result large.
pub(crate) type Fault = Box<WireError>;

impl WireError {
    pub(crate) fn new(reason: impl fmt::Display) -> Fault {
        Box::new(WireError {
            reason: reason.to_string(),
            ..WireError::default()
        })
    }

    /// Puts a step, `name` or `[index]`, in front of the path.
    pub(crate) fn within(mut self: Box<Self>, step: &str, offset: Option<usize>) -> Fault {
        if self.path.is_empty() {
            self.offset = offset;
        }
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = [step, dot, &self.path].concat();
        self
    }
}

impl From<prost::DecodeError> for Fault {
    fn from(error: prost::DecodeError) -> Self {
        let text = error.to_string();
        let reason = text.strip_prefix("failed to decode Protobuf message: ");
        WireError::new(reason.unwrap_or(&text))
    }
}
