//! Between headers and [`Metadata`].
//!
//! In: every header in order as a text entry; `-bin` headers decoded into binary entries. Left out is what concerns the
//! transport: content type and length, connection management, `te`, and gRPC's own `grpc-*` (tracing's binary ones are
//! kept); and what claims to be of the proxy (`cloudstate-*`). What the proxy itself knows about the caller follows.
//!
//! Out: the entries of the *first* reply become headers, binary ones under a name ending in `-bin`. An entry that would break the
//! response (forbidden or malformed name, line break in the value, bad base64 under `-bin`) is dropped alone. Metadata of later
//! replies is dropped: gRPC has no place for it, since trailers describe the call and not a message.

use cloudstate_access::{Identity, is_reserved};
use cloudstate_protocol::metadata_entry::Value;
use cloudstate_protocol::{Metadata, MetadataEntry};
use cloudstate_runtime::Code;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::base64;
use crate::front::Route;
use crate::status::Status;

const BINARY: &str = "-bin";

impl Route {
    /// What the function learns of a request besides its messages; nothing where nobody would read it. INVALID_ARGUMENT if a
    /// `-bin` header is not base64.
    pub(crate) fn metadata(&self, headers: &HeaderMap, caller: &Identity) -> Result<Metadata, Status> {
        if !self.wants_metadata {
            return Ok(Metadata::default());
        }
        let mut metadata = from_headers(headers)?;
        caller.write(&mut metadata);
        Ok(metadata)
    }
}

/// Reads the caller's headers. INVALID_ARGUMENT if a `-bin` header is not base64.
fn from_headers(headers: &HeaderMap) -> Result<Metadata, Status> {
    let mut metadata = Metadata {
        entries: Vec::with_capacity(headers.len()),
    };
    for (name, value) in headers {
        let name = name.as_str();
        if is_of_transport(name) || is_reserved(name) {
            continue;
        }
        if name.ends_with(BINARY) {
            push_binary(&mut metadata, name, value)?;
        } else {
            match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => metadata.push(name, text),
                // No text in any encoding that the protocol knows, but nothing is lost.
                Err(_) => metadata.push_bytes(name, value.as_bytes().to_vec()),
            }
        }
    }
    Ok(metadata)
}

/// One header may hold several values, separated by commas.
fn push_binary(metadata: &mut Metadata, name: &str, value: &HeaderValue) -> Result<(), Status> {
    for part in value.as_bytes().split(|byte| *byte == b',') {
        let bytes = base64::decode(part.trim_ascii()).ok_or_else(|| {
            let text = format!("the header [{name}] is not base64, as every name ending in -bin must be");
            Status::new(Code::InvalidArgument, text)
        })?;
        metadata.push_bytes(name, bytes);
    }
    Ok(())
}

/// Adds the entries of a reply to the response. Returns what was dropped and why.
pub(crate) fn to_headers(metadata: Metadata, headers: &mut HeaderMap) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    for MetadataEntry { key, value } in metadata.entries {
        let Some(value) = value else { continue };
        match header(&key, value) {
            Ok((name, value)) => {
                headers.append(name, value);
            }
            Err(reason) => dropped.push(Dropped { key, reason }),
        }
    }
    dropped
}

/// A metadata entry that did not become a header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) key: String,
    pub(crate) reason: &'static str,
}

fn header(key: &str, value: Value) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::from_bytes(key.as_bytes()).map_err(|_| "its key is no header name")?;
    if is_of_transport(name.as_str()) || is_of_server(&name) {
        return Err("its key belongs to the transport");
    }
    match value {
        Value::StringValue(text) => {
            if name.as_str().ends_with(BINARY) && base64::decode(text.as_bytes()).is_none() {
                return Err("its key ends in -bin but its value is not base64");
            }
            let value = HeaderValue::try_from(text)
                .map_err(|_| "its value holds a line break or control character")?;
            Ok((name, value))
        }
        Value::BytesValue(bytes) => {
            let value = HeaderValue::try_from(base64::encode(&bytes)).map_err(|_| "its value is too long")?;
            Ok((binary_name(name)?, value))
        }
    }
}

fn binary_name(name: HeaderName) -> Result<HeaderName, &'static str> {
    if name.as_str().ends_with(BINARY) {
        return Ok(name);
    }
    HeaderName::try_from([name.as_str(), BINARY].concat()).map_err(|_| "its key is too long")
}

fn is_of_transport(name: &str) -> bool {
    match name {
        "content-type" | "content-length" | "transfer-encoding" | "content-encoding" | "connection"
        | "keep-alive" | "proxy-connection" | "upgrade" | "http2-settings" | "te" | "trailer" | "expect" => {
            true
        }
        _ => name.starts_with("grpc-") && !name.ends_with(BINARY),
    }
}

fn is_of_server(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "date" | "server" | "host" | "grpc-status-details-bin"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn headers_become_entries_in_order_without_those_of_the_transport() {
        let headers = headers(&[
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("authorization", "x"),
            ("grpc-accept-encoding", "gzip"),
            ("user-agent", "test"),
            ("cookie", "a=b"),
        ]);
        let expected = [("authorization", "x"), ("user-agent", "test"), ("cookie", "a=b")]
            .into_iter()
            .collect();
        assert_eq!(from_headers(&headers).unwrap(), expected);
    }

    #[test]
    fn what_only_the_proxy_may_say_is_dropped_in_every_spelling() {
        let headers = headers(&[
            ("cloudstate-principal", "root"),
            ("cloudstate-principal-bin", "not even base64"),
            ("cloudstate-claim-role", "admin"),
            ("cloudstate_tls_subject", "CN=root"),
            ("x-cloudstate-principal", "kept"),
        ]);
        let expected = [("x-cloudstate-principal", "kept")].into_iter().collect();
        assert_eq!(from_headers(&headers).unwrap(), expected);
    }

    #[test]
    fn binary_headers_are_decoded_padded_or_not_and_split() {
        let metadata = from_headers(&headers(&[("x-bin", "AQI=, Aw")])).unwrap();
        let values: Vec<_> = metadata.entries.into_iter().map(|entry| entry.value).collect();
        let bytes = |bytes: &'static [u8]| Some(Value::BytesValue(bytes.into()));
        assert_eq!(values, [bytes(&[1, 2]), bytes(&[3])]);
        assert_eq!(
            from_headers(&headers(&[("x-bin", "?")])).unwrap_err().code,
            Code::InvalidArgument
        );
    }

    #[test]
    fn headers_that_are_no_text_stay_as_bytes() {
        let mut headers = HeaderMap::new();
        headers.insert("x", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(
            from_headers(&headers).unwrap().get_bytes("x").map(|b| b.to_vec()),
            Some(vec![0xff])
        );
    }

    #[test]
    fn entries_become_headers_and_harmful_ones_are_dropped_alone() {
        let mut metadata = Metadata::default();
        metadata.push("X-Tag", "a");
        metadata.push("x-tag", "b");
        metadata.push_bytes("trace", vec![1, 2]);
        metadata.push_bytes("trace-bin", vec![3]);
        for (key, value) in [
            ("x-evil", "a\r\nset-cookie: b"),
            ("content-type", "text/html"),
            ("Grpc-Status", "0"),
            ("grpc-status-details-bin", "AQ"),
            ("not a name", "x"),
            ("", "x"),
            ("y-bin", "?"),
        ] {
            metadata.push(key, value);
        }
        let mut headers = HeaderMap::new();
        let dropped = to_headers(metadata, &mut headers);
        assert_eq!(headers.get_all("x-tag").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            headers.get_all("trace-bin").iter().collect::<Vec<_>>(),
            ["AQI", "Aw"]
        );
        assert_eq!(headers.len(), 4, "{headers:?}");
        assert_eq!(dropped.len(), 7, "{dropped:?}");
    }
}
