//! Reads the entity id from an encoded request, without building the message.

mod scalar;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use prost_reflect::{Cardinality, FieldDescriptor, MethodDescriptor};

use crate::{DiscoveryError, options};
use scalar::{Scalar, ScalarType};
use scan::{RawValue, scan_all, scan_one};

/// The longest entity id, in bytes.
pub const ENTITY_ID_BYTES_MAX: usize = 1024;

/// How to read an entity id: the key fields of a request type. Empty for methods without an entity.
///
/// The text of a field is: a string as it is; integers in decimal; `true` and `false`; the name of an enum value, or
/// its number if it has none; bytes as base64url without padding; `float` and `double` as the shortest decimal that
/// reads back as the same number, with at least one digit after the point, in the form `1.5` from 0.001 to below ten
/// million and in the form `1.5E-7` elsewhere, and `NaN`, `Infinity`, `-Infinity`. A field that is absent has the
/// text of its default. One key field: its text is the id. Several: their texts in the order of the `.proto` file,
/// joined with `-`, where `%` and `-` inside a text become `%25` and `%2D`, so that no two keys share an id.
#[derive(Debug, Default)]
pub struct Key {
    fields: Box<[KeyField]>,
}

#[derive(Debug)]
struct KeyField {
    name: Arc<str>,
    /// Field number and wire type, as they stand before the value.
    tag: u64,
    scalar_type: ScalarType,
    /// The text when the field is absent.
    default: Box<str>,
    /// The other members of its oneof: when one of them comes later, this field is absent.
    rivals: Box<[u32]>,
}

/// Why a request names no entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// All key fields are empty.
    #[error("the entity key field [{field}] is empty")]
    Empty {
        /// The field, or the fields joined by `, `.
        field: String,
    },
    /// The id is longer than stores keep.
    #[error(
        "the entity key field [{field}] makes an entity id of {length} bytes, but at most {limit} are allowed"
    )]
    TooLong {
        /// The field, or the fields joined by `, `.
        field: String,
        /// The length of the id in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A key field is encoded as another type.
    #[error(
        "the entity key field [{field}] has wire type {found}, but its declared type has wire type {expected}"
    )]
    WireType {
        /// The field.
        field: String,
        /// The wire type in the request.
        found: u8,
        /// The wire type of the field's declared type.
        expected: u8,
    },
    /// A string key is not text.
    #[error("the entity key field [{field}] is not valid UTF-8")]
    NotUtf8 {
        /// The field.
        field: String,
    },
    /// The request is not a protobuf message at all.
    #[error("the request is not a valid protobuf message: {reason} at byte {position}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
        /// Offset from the start of the request.
        position: usize,
    },
}

impl Key {
    /// The names of the key fields, in the order of the `.proto` file.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.name)
    }

    /// The key of a method's request type. Empty if no field is marked.
    pub(crate) fn of(method: &MethodDescriptor) -> Result<Self, DiscoveryError> {
        let input = method.input();
        let mut fields = Vec::new();
        // `MessageDescriptor::fields` goes by number; an id goes by the order of declaration.
        for field in &input.descriptor_proto().field {
            let Some(field) = u32::try_from(field.number())
                .ok()
                .and_then(|number| input.get_field(number))
            else {
                continue;
            };
            if options::is_entity_key(&field)? {
                fields.push(KeyField::of(&field, method)?);
            }
        }
        Ok(Key {
            fields: fields.into(),
        })
    }

    /// Whether requests name no entity.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names of the key fields, in the order of declaration.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.name)
    }

    /// The entity id in an encoded request, borrowed from it where the id is the text of one string field. Empty if
    /// there are no key fields.
    ///
    /// The request is walked once. Its structure is checked, the content of other fields is not.
    ///
    /// # Errors
    ///
    /// The id is empty or longer than [`ENTITY_ID_BYTES_MAX`], or the request is malformed.
    pub fn extract<'a>(&self, request: &'a [u8]) -> Result<Cow<'a, str>, KeyError> {
        let id = match &*self.fields {
            [] => return Ok(Cow::Borrowed("")),
            [field] => field.text(scan_one(field, request)?)?,
            fields => Cow::Owned(join(fields, request)?),
        };
        match id.len() {
            0 => Err(KeyError::Empty { field: self.names() }),
            1..=ENTITY_ID_BYTES_MAX => Ok(id),
            length => Err(KeyError::TooLong {
                field: self.names(),
                length,
                limit: ENTITY_ID_BYTES_MAX,
            }),
        }
    }

    fn names(&self) -> String {
        self.field_names().collect::<Vec<_>>().join(", ")
    }
}

/// The id of several fields; empty if each of them is.
fn join(fields: &[KeyField], request: &[u8]) -> Result<String, KeyError> {
    let found = scan_all(fields, request)?;
    let mut id = String::with_capacity(64);
    let mut all_empty = true;
    for (index, (field, value)) in fields.iter().zip(found).enumerate() {
        if index > 0 {
            id.push('-');
        }
        let text = field.text(value)?;
        all_empty &= text.is_empty();
        push_escaped(&mut id, &text);
    }
    Ok(if all_empty { String::new() } else { id })
}

fn push_escaped(id: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['%', '-']) {
        id.push_str(&rest[..at]);
        id.push_str(if rest[at..].starts_with('%') { "%25" } else { "%2D" });
        rest = &rest[at + 1..];
    }
    id.push_str(rest);
}

impl KeyField {
    fn of(field: &FieldDescriptor, method: &MethodDescriptor) -> Result<Self, DiscoveryError> {
        let unsupported = |field_type| DiscoveryError::UnsupportedKeyField {
            field: field.full_name().to_owned(),
            field_type,
            method: method.full_name().to_owned(),
            file: field.parent_file().name().to_owned(),
        };
        if field.is_map() {
            return Err(unsupported("map"));
        }
        if field.cardinality() == Cardinality::Repeated {
            return Err(unsupported("repeated"));
        }
        let default = field.default_value();
        let (Some(scalar_type), Some(default)) = (ScalarType::of(&field.kind()), Scalar::of(&default)) else {
            return Err(unsupported("message"));
        };
        let rivals = field.containing_oneof().map(|oneof| {
            oneof
                .fields()
                .map(|member| member.number())
                .filter(|number| *number != field.number())
                .collect()
        });
        Ok(KeyField {
            name: field.name().into(),
            tag: u64::from(field.number()) << 3 | u64::from(scalar_type.wire_type()),
            default: default.text(&scalar_type).into(),
            scalar_type,
            rivals: rivals.unwrap_or_default(),
        })
    }

    #[inline]
    fn text<'a>(&self, value: Option<RawValue<'a>>) -> Result<Cow<'a, str>, KeyError> {
        match value {
            // The usual key goes the short way.
            Some(RawValue::Bytes(bytes)) if matches!(self.scalar_type, ScalarType::String) => {
                std::str::from_utf8(bytes)
                    .map(Cow::Borrowed)
                    .map_err(|_| self.not_utf8())
            }
            Some(value) => Ok(self
                .scalar_type
                .read(value)
                .ok_or_else(|| self.not_utf8())?
                .text(&self.scalar_type)),
            None => Ok(Cow::Owned(self.default.to_string())),
        }
    }

    #[cold]
    fn not_utf8(&self) -> KeyError {
        KeyError::NotUtf8 {
            field: self.name.to_string(),
        }
    }
}
