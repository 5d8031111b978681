//! Statuses other than OK, for people.

use cloudstate_protocol::Any;
use prost::Message;
use tonic::{Code, Status};

use super::wire::{BadRequest, Delay, ErrorInfo, RetryInfo, RpcStatus};

/// The name of the code, the text, and one line for each detail.
pub(crate) fn explain(status: &Status) -> String {
    let mut text = format!("{}: {}", name(status.code()), status.message());
    let details = RpcStatus::decode(status.details()).unwrap_or_default().details;
    for detail in &details {
        text += &format!("\n  {}", explain_detail(detail));
    }
    text
}

fn explain_detail(detail: &Any) -> String {
    let type_name = detail.type_url.rsplit('/').next().unwrap_or_default();
    let known = match type_name {
        "google.rpc.ErrorInfo" => ErrorInfo::decode(&*detail.value)
            .ok()
            .map(|info| error_info(&info)),
        "google.rpc.BadRequest" => BadRequest::decode(&*detail.value)
            .ok()
            .map(|bad| bad_request(&bad)),
        "google.rpc.RetryInfo" => RetryInfo::decode(&*detail.value)
            .ok()
            .map(|info| retry_info(&info)),
        _ => None,
    };
    known.unwrap_or_else(|| format!("{type_name} ({} bytes)", detail.value.len()))
}

fn error_info(info: &ErrorInfo) -> String {
    let mut pairs: Vec<_> = info
        .metadata
        .iter()
        .map(|(name, value)| format!(", {name} = {value}"))
        .collect();
    pairs.sort();
    format!(
        "reason = {}, domain = {}{}",
        info.reason,
        info.domain,
        pairs.concat()
    )
}

fn bad_request(bad: &BadRequest) -> String {
    let fields: Vec<_> = bad
        .violations
        .iter()
        .map(|field| format!("{}: {}", field.field, field.description))
        .collect();
    fields.join("\n  ")
}

fn retry_info(info: &RetryInfo) -> String {
    let Delay { seconds, nanos } = info.delay.unwrap_or_default();
    format!(
        "retry after {} ms",
        seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(nanos / 1_000_000))
    )
}

/// The code as gRPC spells it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(type_name: &str, message: &impl Message) -> Any {
        Any {
            type_url: format!("type.googleapis.com/{type_name}"),
            value: message.encode_to_vec().into(),
        }
    }

    #[test]
    fn details_are_listed() {
        let info = ErrorInfo {
            reason: "OUTCOME_UNKNOWN".into(),
            domain: "cloudstate.io".into(),
            metadata: [("entity".to_owned(), "a".to_owned())].into(),
        };
        let retry = RetryInfo {
            delay: Some(Delay {
                seconds: 1,
                nanos: 500_000_000,
            }),
        };
        let details = vec![
            detail("google.rpc.ErrorInfo", &info),
            detail("google.rpc.RetryInfo", &retry),
            detail("a.Other", &retry),
        ];
        let status = Status::with_details(
            Code::Unknown,
            "lost",
            RpcStatus { details }.encode_to_vec().into(),
        );
        assert_eq!(
            explain(&status),
            "UNKNOWN: lost\n  reason = OUTCOME_UNKNOWN, domain = cloudstate.io, entity = a\n  \
             retry after 1500 ms\n  a.Other (10 bytes)"
        );
    }
}
