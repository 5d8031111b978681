//! The descriptor options of service authors.

use cloudstate_protocol::Eventing;
use cloudstate_protocol::google::api::HttpRule;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, MethodDescriptor};

use crate::DiscoveryError;

/// The options of a field that matter here.
#[derive(Clone, PartialEq, Message)]
struct FieldOptions {
    #[prost(bool, tag = "1080")]
    entity_key: bool,
    #[prost(bool, tag = "50002")]
    legacy_entity_key: bool,
}

/// The options of a method that matter here.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MethodOptions {
    #[prost(message, optional, tag = "1081")]
    pub(crate) eventing: Option<Eventing>,
    #[prost(message, optional, tag = "72295728")]
    pub(crate) http: Option<HttpRule>,
}

/// Whether a field is part of the entity id.
pub(crate) fn is_entity_key(field: &FieldDescriptor) -> Result<bool, DiscoveryError> {
    let options: FieldOptions =
        read(&field.options()).map_err(|error| DiscoveryError::UnreadableOptions {
            element: field.full_name().to_owned(),
            file: field.parent_file().name().to_owned(),
            reason: error.to_string(),
        })?;
    Ok(options.entity_key || options.legacy_entity_key)
}

pub(crate) fn of_method(method: &MethodDescriptor) -> Result<MethodOptions, DiscoveryError> {
    read(&method.options()).map_err(|error| DiscoveryError::UnreadableOptions {
        element: method.full_name().to_owned(),
        file: method.parent_file().name().to_owned(),
        reason: error.to_string(),
    })
}

/// Goes by the encoded form, where an extension looks the same whether its definition is among the files or not.
fn read<M: Message + Default>(options: &DynamicMessage) -> Result<M, prost::DecodeError> {
    M::decode(options.encode_to_vec().as_slice())
}

#[cfg(test)]
mod tests;
