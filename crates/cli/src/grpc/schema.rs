//! Descriptors known at run time, and messages as JSON by them.

use bytes::Bytes;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions, ServiceDescriptor,
    Value,
};

use super::wire::FileSet;
use crate::exit::{Exit, Failure};

/// A set of descriptors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pool: DescriptorPool,
}

impl Schema {
    /// Reads encoded `FileDescriptorProto`s, which must be complete together.
    pub(crate) fn of_files(files: Vec<Bytes>) -> Result<Self, Failure> {
        Self::of_set(&FileSet { files }.encode_to_vec())
    }

    /// Reads an encoded `FileDescriptorSet`.
    pub(crate) fn of_set(encoded: &[u8]) -> Result<Self, Failure> {
        let mut pool = DescriptorPool::new();
        pool.decode_file_descriptor_set(encoded).map_err(|error| {
            Failure::new(
                Exit::Failure,
                format!("the descriptors do not fit together: {error}"),
            )
        })?;
        Ok(Self { pool })
    }

    pub(crate) fn service(&self, name: &str) -> Option<ServiceDescriptor> {
        self.pool.get_service_by_name(name)
    }

    pub(crate) fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name)
    }
}

/// An encoded message as JSON, on one line or indented.
pub(crate) fn to_json(
    descriptor: &MessageDescriptor,
    encoded: Bytes,
    indented: bool,
) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failure,
            format!("a message cannot be shown as {}: {error}", descriptor.full_name()),
        )
    };
    let message = DynamicMessage::decode(descriptor.clone(), encoded).map_err(|error| failed(&error))?;
    let options = SerializeOptions::new().skip_default_fields(false);
    // Written directly, since a JSON value in between would sort the fields by name.
    let mut text = Vec::new();
    let written = if indented {
        message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &options)
    } else {
        message.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)
    };
    written.map_err(|error| failed(&error))?;
    String::from_utf8(text).map_err(|error| failed(&error))
}

/// The message that this JSON describes, encoded.
pub(crate) fn from_json(descriptor: &MessageDescriptor, json: &serde_json::Value) -> Result<Bytes, String> {
    let message = DynamicMessage::deserialize(descriptor.clone(), json)
        .map_err(|error| format!("not a {}: {error}", descriptor.full_name()))?;
    Ok(message.encode_to_vec().into())
}

/// The HTTP bindings of a method, the main one first: verb, path, and the field that is the body (`*` for the rest).
pub(crate) fn http_bindings(method: &MethodDescriptor) -> Vec<(String, String, String)> {
    let Some(extension) = method.parent_pool().get_extension_by_name("google.api.http") else {
        return Vec::new();
    };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Vec::new();
    }
    let rule = options.get_extension(&extension).into_owned();
    rule.as_message().map(bindings).unwrap_or_default()
}

fn bindings(rule: &DynamicMessage) -> Vec<(String, String, String)> {
    let text = |message: &DynamicMessage, field: &str| {
        message
            .get_field_by_name(field)
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let body = text(rule, "body");
    let plain = ["get", "put", "post", "delete", "patch"]
        .into_iter()
        .find_map(|verb| {
            let path = text(rule, verb);
            (!path.is_empty()).then(|| (verb.to_uppercase(), path, body.clone()))
        });
    let custom = || {
        let custom = rule.get_field_by_name("custom")?.into_owned();
        let custom = custom.as_message()?;
        let path = text(custom, "path");
        (!path.is_empty()).then(|| (text(custom, "kind"), path, body.clone()))
    };
    let further = rule
        .get_field_by_name("additional_bindings")
        .map(std::borrow::Cow::into_owned);
    let further = further.as_ref().and_then(Value::as_list).unwrap_or_default();
    let further = further.iter().filter_map(Value::as_message).flat_map(bindings);
    plain.or_else(custom).into_iter().chain(further).collect()
}
