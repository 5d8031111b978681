//! The names that the `.proto` files define.

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// The definitions of the protocol, and of what it imports.
pub(crate) struct Names(DescriptorPool);

impl Names {
    pub(crate) fn of_the_protocol() -> Self {
        let pool = DescriptorPool::decode(cloudstate_protocol::FILE_DESCRIPTOR_SET);
        Names(pool.expect("our own descriptors"))
    }

    /// Whether a piece of code has the form of a name of the protocol, but is none. What has another form, such as a path or
    /// a status, is not looked at.
    pub(crate) fn is_unknown(&self, code: &str) -> bool {
        let segments: Vec<&str> = code.split('.').collect();
        if !segments.iter().all(|segment| is_identifier(segment)) {
            return false;
        }
        let has_capitals = code.contains(|c: char| c.is_ascii_uppercase());
        match segments.as_slice() {
            ["cloudstate", _, ..] | ["google", "api" | "protobuf", _, ..] => !self.has_full_name(code),
            [first, path @ ..] if is_type_name(first) => !self.has_field(first, path),
            [name] if !has_capitals && name.contains('_') => !self.has_member(name),
            [name] if has_capitals && name.starts_with(|c: char| c.is_ascii_lowercase()) => {
                !self.has_rpc(name)
            }
            _ => false,
        }
    }

    fn has_full_name(&self, name: &str) -> bool {
        self.0.get_message_by_name(name).is_some()
            || self.0.get_enum_by_name(name).is_some()
            || self.0.get_service_by_name(name).is_some()
            || self.0.get_extension_by_name(name).is_some()
    }

    /// Whether the type is there, and fields lead on from it by these names.
    fn has_field(&self, type_name: &str, path: &[&str]) -> bool {
        let mut messages = self.0.all_messages();
        match messages.find(|message| message.name() == type_name) {
            Some(message) => has_path(&message, path),
            None => path.is_empty() && self.has_type(type_name),
        }
    }

    /// Whether there is such an enum or service.
    fn has_type(&self, name: &str) -> bool {
        self.0.all_enums().any(|found| found.name() == name)
            || self.0.services().any(|found| found.name() == name)
    }

    /// Whether there is such a field, oneof or option in any message.
    fn has_member(&self, name: &str) -> bool {
        let in_message = |message: MessageDescriptor| {
            message.get_field_by_name(name).is_some() || message.oneofs().any(|oneof| oneof.name() == name)
        };
        self.0.all_messages().any(in_message) || self.0.all_extensions().any(|found| found.name() == name)
    }

    fn has_rpc(&self, name: &str) -> bool {
        let mut services = self.0.services();
        services.any(|service| service.methods().any(|method| method.name() == name))
    }
}

fn has_path(message: &MessageDescriptor, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let Some(field) = message.get_field_by_name(first) else {
        return false;
    };
    let kind = field.kind();
    rest.is_empty() || kind.as_message().is_some_and(|message| has_path(message, rest))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether it is written like `CrdtDelta`, and not like `UNAVAILABLE`.
fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.contains(|c: char| c.is_ascii_lowercase())
}
