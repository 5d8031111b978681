//! How a gRPC call ended: from HTTP status, headers and trailers.

use http::{HeaderMap, StatusCode};

use crate::Error;

/// Reads `grpc-status` and `grpc-message`. `None` when there is no status.
pub(crate) fn of_trailers(trailers: &HeaderMap) -> Option<Result<(), Error>> {
    let status = trailers.get("grpc-status")?;
    let Some(code) = status.to_str().ok().and_then(|text| text.parse::<i32>().ok()) else {
        return Some(Err(Error::malformed(format!(
            "grpc-status is {status:?}, not a number"
        ))));
    };
    if code == 0 {
        return Some(Ok(()));
    }
    let message = trailers
        .get("grpc-message")
        .map(|value| percent_decode(value.as_bytes()))
        .unwrap_or_default();
    Some(Err(Error::Status { code, message }))
}

/// Refuses response headers that are not those of a gRPC answer.
pub(crate) fn check_head(status: StatusCode, headers: &HeaderMap, target: &str) -> Result<(), Error> {
    let content_type = headers
        .get(http::header::CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let is_grpc = content_type.starts_with(b"application/grpc");
    if status == StatusCode::OK {
        return if is_grpc {
            Ok(())
        } else {
            let reason = format!("content-type {:?}", String::from_utf8_lossy(content_type));
            Err(Error::NotGrpc {
                target: target.to_owned(),
                reason,
            })
        };
    }
    if let Some(Err(error)) = of_trailers(headers) {
        return Err(error);
    }
    let message = format!(
        "HTTP status {status} from {target} where a gRPC answer was expected: is this the function's port?"
    );
    Err(Error::Status {
        code: code_of_http(status),
        message,
    })
}

/// The gRPC code for an HTTP status without one, as gRPC's "HTTP to gRPC Status Code Mapping" lists them.
fn code_of_http(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Undoes the percent-encoding of `grpc-message`. What is not an escape stays; what is not UTF-8 is replaced.
fn percent_decode(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_status_carries_its_decoded_message() {
        let trailers = headers(&[("grpc-status", "5"), ("grpc-message", "caf%C3%A9 100%, %zz %")]);
        let expected = Error::Status {
            code: 5,
            message: "café 100%, %zz %".to_owned(),
        };
        assert_eq!(of_trailers(&trailers), Some(Err(expected)));
    }

    #[test]
    fn status_zero_is_success_and_no_status_is_none() {
        assert_eq!(
            of_trailers(&headers(&[("grpc-status", "0"), ("grpc-message", "ignored")])),
            Some(Ok(()))
        );
        assert_eq!(of_trailers(&headers(&[])), None);
    }

    #[test]
    fn a_status_that_is_not_a_number_is_malformed() {
        let result = of_trailers(&headers(&[("grpc-status", "fine")]));
        assert!(matches!(result, Some(Err(Error::Malformed { .. }))));
    }

    #[test]
    fn http_statuses_become_codes_that_ask_for_the_port() {
        for (http, grpc) in [
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (429, 14),
            (503, 14),
            (500, 2),
            (302, 2),
        ] {
            let status = StatusCode::from_u16(http).unwrap();
            let Err(Error::Status { code, message }) = check_head(status, &headers(&[]), "h:1") else {
                panic!("HTTP {http} passed")
            };
            assert_eq!(code, grpc, "for HTTP {http}");
            assert!(
                message.contains("h:1") && message.contains("function's port?"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_page_is_not_a_grpc_answer() {
        let error =
            check_head(StatusCode::OK, &headers(&[("content-type", "text/html")]), "h:1").unwrap_err();
        assert!(error.to_string().contains("text/html"), "{error}");
        assert!(
            error.to_string().ends_with("is this the function's port?"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn percent_encoded_text_comes_back(text in "\\PC{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(percent_decode(encoded.as_bytes()), text);
        }
    }
}
