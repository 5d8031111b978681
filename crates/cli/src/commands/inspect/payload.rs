//! Payloads as JSON, as far as their types are known.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use cloudstate_protocol::{
    Any, EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, ProxyInfo, any, names,
};
use cloudstate_store::Payload;
use http::uri::PathAndQuery;
use prost::Message as _;
use serde_json::{Value as Json, json};
use tonic::client::Grpc;

use crate::exit::{Exit, Failure};
use crate::grpc::{Address, BytesCodec, Schema, connect, explain, to_json};

/// Decodes payloads.
#[derive(Debug, Clone, Default)]
pub(super) struct Payloads {
    schema: Option<Schema>,
}

impl Payloads {
    /// By a file of descriptors, or by what a function declares, or by nothing.
    pub(super) async fn of(file: Option<&Path>, function: Option<&Address>) -> Result<Self, Failure> {
        let schema = match (file, function) {
            (Some(path), _) => Some(of_file(path)?),
            (None, Some(address)) => Some(of_function(address).await?),
            (None, None) => None,
        };
        Ok(Self { schema })
    }

    /// The payload as JSON; as base64 text under `base64` when its type is not known.
    pub(super) fn show(&self, payload: &Payload) -> Json {
        let any = Any {
            type_url: payload.type_url.clone(),
            value: payload.value.clone(),
        };
        json_payload(&any)
            .or_else(|| primitive(&any))
            .or_else(|| self.message(&any))
            .unwrap_or_else(|| json!({"base64": BASE64_STANDARD.encode(&payload.value)}))
    }

    fn message(&self, any: &Any) -> Option<Json> {
        let descriptor = self.schema.as_ref()?.message(any.type_name())?;
        // Malformed bytes are shown as they are.
        let text = to_json(&descriptor, any.value.clone(), false).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// A payload of the JSON convention.
fn json_payload(any: &Any) -> Option<Json> {
    serde_json::from_str(&any.as_json().ok()?).ok()
}

/// A payload of the convention for primitives.
fn primitive(any: &Any) -> Option<Json> {
    match any.type_url.strip_prefix(any::PRIMITIVE_PREFIX)? {
        "string" => any.as_primitive::<String>().ok().map(Json::from),
        "bytes" => any
            .as_primitive::<Bytes>()
            .ok()
            .map(|bytes| json!({"base64": BASE64_STANDARD.encode(bytes)})),
        "int32" => any.as_primitive::<i32>().ok().map(Json::from),
        "int64" => any.as_primitive::<i64>().ok().map(Json::from),
        "float" => any.as_primitive::<f32>().ok().map(Json::from),
        "double" => any.as_primitive::<f64>().ok().map(Json::from),
        "bool" => any.as_primitive::<bool>().ok().map(Json::from),
        _ => None,
    }
}

fn of_file(path: &Path) -> Result<Schema, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("--descriptors {}: {error}", path.display()))
    };
    let encoded = std::fs::read(path).map_err(|error| failed(&error))?;
    Schema::of_set(&encoded).map_err(|error| failed(&error))
}

/// Asks a function what it serves, as a proxy does at its start.
async fn of_function(address: &Address) -> Result<Schema, Failure> {
    let channel = connect(address).await?;
    let info = ProxyInfo {
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        proxy_name: "cloudstate inspect".to_owned(),
        proxy_version: env!("CARGO_PKG_VERSION").to_owned(),
        // A function warns of each kind that it has and the proxy lacks; nothing is to be served here.
        supported_entity_types: [
            names::CRDT,
            names::ACTION,
            names::EVENT_SOURCED,
            names::VALUE_ENTITY,
        ]
        .map(str::to_owned)
        .into(),
    };
    let mut client = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    client
        .ready()
        .await
        .map_err(|error| Failure::new(Exit::Unreachable, error))?;
    let request = tonic::Request::new(Bytes::from(info.encode_to_vec()));
    let response = client
        .unary(
            request,
            PathAndQuery::from_static(names::DISCOVER_PATH),
            BytesCodec,
        )
        .await;
    let response = response.map_err(|status| {
        Failure::new(
            Exit::Failure,
            format!("no user function answers at {address}: {}", explain(&status)),
        )
    })?;
    let spec = EntitySpec::decode(response.into_inner()).map_err(|error| {
        Failure::new(
            Exit::Failure,
            format!("the function's declaration is malformed: {error}"),
        )
    })?;
    Schema::of_set(&spec.proto)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(any: Any) -> Json {
        let schema = Schema::of_set(cloudstate_protocol::FILE_DESCRIPTOR_SET).expect("our own descriptors");
        let payload = Payload {
            type_url: any.type_url,
            value: any.value,
        };
        Payloads { schema: Some(schema) }.show(&payload)
    }

    #[test]
    fn messages_of_known_types_are_decoded() {
        let info = ProxyInfo {
            proxy_name: "p".to_owned(),
            ..ProxyInfo::default()
        };
        let any = Any::message("cloudstate.ProxyInfo", info.encode_to_vec());
        assert_eq!(shown(any)["proxyName"], "p");
    }

    #[test]
    fn primitives_and_json_need_no_descriptors() {
        assert_eq!(shown(Any::primitive(&"text".to_owned())), "text");
        assert_eq!(shown(Any::primitive(&7_i64)), 7);
        assert_eq!(shown(Any::primitive(&true)), true);
        assert_eq!(shown(Any::json("Cart", "{\"a\":1}")), json!({"a": 1}));
    }

    #[test]
    fn what_is_unknown_or_malformed_is_shown_as_it_is() {
        assert_eq!(
            shown(Any::message("x.Unknown", vec![0, 1])),
            json!({"base64": "AAE="})
        );
        assert_eq!(
            shown(Any::message("cloudstate.ProxyInfo", vec![255])),
            json!({"base64": "/w=="})
        );
    }
}
