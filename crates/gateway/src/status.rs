//! A failed call as clients see it, in gRPC and in HTTP.

use std::borrow::Cow;
use std::time::Duration;

use cloudstate_protocol::Any;
use cloudstate_runtime::{CallError, Code};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;

use crate::base64;
use crate::metrics::code_name;

/// Whose reasons `google.rpc.ErrorInfo.reason` are.
const ERROR_DOMAIN: &str = "cloudstate.io";

/// How an HTTP client may authenticate. Source: RFC 6750 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// By a token.
    Token,
    /// By another token than the one that it sent; the message says why.
    BetterToken,
}

/// A failed call. The only place where errors become gRPC and HTTP statuses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
    /// Set where HTTP has a more exact status than the code implies.
    pub(crate) http: Option<StatusCode>,
    /// The function's own text, which HTTP shows as plain text.
    pub(crate) from_function: bool,
    reason: Option<&'static str>,
    pub(crate) retry_after: Option<Duration>,
    /// How an HTTP client may authenticate, for `www-authenticate`.
    challenge: Option<Challenge>,
    /// The field at fault, as `google.rpc.BadRequest` names it, and what is wrong with it.
    pub(crate) violation: Option<(String, String)>,
}

impl Status {
    /// A status of a code and a text.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let (http, reason, retry_after, violation) = (None, None, None, None);
        Status {
            code,
            message,
            http,
            from_function: false,
            reason,
            retry_after,
            challenge: None,
            violation,
        }
    }

    /// Same, with the way to authenticate.
    pub(crate) fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// INVALID_ARGUMENT for a field of the request, given as a path such as `line.quantity`; empty if none is at fault.
    pub(crate) fn invalid_field(field: &str, why: &str) -> Self {
        let text = match field {
            "" => why.to_owned(),
            field => format!("field [{field}]: {why}"),
        };
        Status {
            violation: Some((field.to_owned(), why.to_owned())),
            ..Status::new(Code::InvalidArgument, text)
        }
    }

    /// Same, with the HTTP status to use in place of the usual one.
    pub(crate) fn with_http(mut self, http: StatusCode) -> Self {
        self.http = Some(http);
        self
    }

    /// The HTTP status.
    pub(crate) fn http_status(&self) -> StatusCode {
        self.http.unwrap_or_else(|| http_status(self.code))
    }

    /// Writes the status as gRPC trailers.
    pub(crate) fn write_trailers(&self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from(self.code as u16));
        if !self.message.is_empty() {
            headers.insert("grpc-message", percent_encode(&self.message));
        }
        let details = self.details();
        if !details.is_empty() {
            let status = rpc::Status {
                code: self.code as i32,
                message: self.message.to_string(),
                details,
            };
            // Base64 is made of visible ASCII.
            if let Ok(value) = HeaderValue::try_from(base64::encode(&status.encode_to_vec())) {
                headers.insert("grpc-status-details-bin", value);
            }
        }
        self.write_retry_after(headers);
    }

    /// Writes `retry-after`, in whole seconds, if there is one.
    pub(crate) fn write_retry_after(&self, headers: &mut HeaderMap) {
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    /// Writes `www-authenticate`, if there is a way to authenticate.
    pub(crate) fn write_challenge(&self, headers: &mut HeaderMap) {
        let value = match self.challenge {
            None => return,
            Some(Challenge::Token) => HeaderValue::from_static("Bearer"),
            Some(Challenge::BetterToken) => {
                let value = format!(
                    r#"Bearer error="invalid_token", error_description="{}""#,
                    self.message
                );
                // The texts about tokens are visible ASCII without quotes.
                HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
            }
        };
        headers.insert(http::header::WWW_AUTHENTICATE, value);
    }

    fn details(&self) -> Vec<Any> {
        let info = self.reason.map(|reason| {
            let info = rpc::ErrorInfo {
                reason: reason.to_owned(),
                domain: ERROR_DOMAIN.to_owned(),
            };
            Any::message("google.rpc.ErrorInfo", info.encode_to_vec())
        });
        let retry = self.retry_after.map(|after| {
            let retry = rpc::RetryInfo {
                retry_delay: Some(rpc::Duration::from(after)),
            };
            Any::message("google.rpc.RetryInfo", retry.encode_to_vec())
        });
        info.into_iter().chain(retry).collect()
    }

    /// The status as JSON, in the form of `google.rpc.Status`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut details = Vec::new();
        if let Some(reason) = self.reason {
            let of = "type.googleapis.com/google.rpc.ErrorInfo";
            details.push(serde_json::json!({"@type": of, "reason": reason, "domain": ERROR_DOMAIN}));
        }
        if let Some(after) = self.retry_after {
            let of = "type.googleapis.com/google.rpc.RetryInfo";
            details.push(serde_json::json!({"@type": of, "retryDelay": format!("{}s", after.as_secs_f64())}));
        }
        if let Some((field, description)) = &self.violation {
            let of = "type.googleapis.com/google.rpc.BadRequest";
            let violations = serde_json::json!([{"field": field, "description": description}]);
            details.push(serde_json::json!({"@type": of, "fieldViolations": violations}));
        }
        let code = self.code as i32;
        serde_json::json!({
            "code": code, "status": code_name(self.code), "message": self.message, "details": details
        })
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let from_function = matches!(error, CallError::Failure(_) | CallError::EntityFailed(_));
        Status {
            from_function,
            reason: error.reason(),
            retry_after: error.retry_after(),
            ..Status::new(error.code(), error.to_string())
        }
    }
}

/// The client's side of a request failed.
impl From<hyper::Error> for Status {
    fn from(error: hyper::Error) -> Self {
        Status::new(Code::Cancelled, format!("the request broke off: {error}"))
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        CallError::Status {
            code: status.code,
            message: status.message.into_owned(),
        }
    }
}

/// The HTTP status of a code. Source: the comments of `google/rpc/code.proto`.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // 499: the client closed the request. It has no name in the standard.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Percent-encodes a `grpc-message`: visible ASCII and space stay, except `%`.
fn percent_encode(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                encoded.extend(['%', char::from(digits[0]), char::from(digits[1])]);
            }
        }
    }
    // Only visible ASCII and space are left, all of which a header may hold.
    HeaderValue::try_from(encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The parts of `google.rpc` that clients look for in `grpc-status-details-bin`.
mod rpc {
    use cloudstate_protocol::Any;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(int32, tag = "1")]
        pub(super) code: i32,
        #[prost(string, tag = "2")]
        pub(super) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(super) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ErrorInfo {
        #[prost(string, tag = "1")]
        pub(super) reason: String,
        #[prost(string, tag = "2")]
        pub(super) domain: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(super) retry_delay: Option<Duration>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Duration {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(super) nanos: i32,
    }

    impl From<std::time::Duration> for Duration {
        fn from(duration: std::time::Duration) -> Self {
            Duration {
                seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
                nanos: duration.subsec_nanos().cast_signed(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(status: &Status) -> HeaderMap {
        let mut headers = HeaderMap::new();
        status.write_trailers(&mut headers);
        headers
    }

    #[test]
    fn messages_are_percent_encoded() {
        let headers = trailers(&Status::new(Code::Unknown, "100 %\r\nx: ü"));
        assert_eq!(headers["grpc-message"], "100 %25%0D%0Ax: %C3%BC");
        assert_eq!(headers["grpc-status"], "2");
        assert!(!headers.contains_key("grpc-status-details-bin"));
    }

    #[test]
    fn an_unknown_outcome_carries_its_reason_and_no_retry() {
        let status = Status::from(CallError::OutcomeUnknown("lost the store".into()));
        let headers = trailers(&status);
        let details = base64::decode(headers["grpc-status-details-bin"].as_bytes()).unwrap();
        let decoded = rpc::Status::decode(&details[..]).unwrap();
        let info = rpc::ErrorInfo::decode(decoded.details[0].value.clone()).unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("OUTCOME_UNKNOWN", "cloudstate.io")
        );
        assert!(!headers.contains_key("retry-after"));
        assert_eq!(status.http_status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn errors_of_load_say_when_to_retry() {
        let retry_after = Duration::from_millis(1200);
        let status = Status::from(CallError::QueueFull {
            message: "full".into(),
            retry_after,
        });
        assert_eq!(trailers(&status)["retry-after"], "2");
        assert_eq!(status.http_status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(status.to_json()["details"][0]["retryDelay"], "1.2s");
        let status = Status::from(CallError::Overloaded {
            message: "busy".into(),
            retry_after,
        });
        assert_eq!(status.http_status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
