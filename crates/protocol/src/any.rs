//! `google.protobuf.Any` and the conventions for what is put into it.
//!
//! | what | `type_url` | `value` |
//! |---|---|---|
//! | a message | `type.googleapis.com/<full name>` | the serialized message |
//! | a primitive | `p.cloudstate.io/<scalar type>` | a message whose field 1 has that type; empty for the default |
//! | JSON | `json.cloudstate.io/<name>` | a message whose field 1 holds UTF-8 JSON as bytes |
//!
//! The proxy itself never looks into payloads; these helpers are for functions and tools.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use prost::{DecodeError, Message, Name};

/// Prefix of the type URLs of protobuf messages.
pub const MESSAGE_PREFIX: &str = "type.googleapis.com/";
/// Prefix of the type URLs of primitives.
pub const PRIMITIVE_PREFIX: &str = "p.cloudstate.io/";
/// Prefix of the type URLs of JSON values.
pub const JSON_PREFIX: &str = "json.cloudstate.io/";

/// A value of any type, with its name. Like `google.protobuf.Any`; the value shares the buffer it was decoded from.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Any {
    /// Says what `value` is.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

impl Any {
    /// Wraps an encoded message of the given full name.
    pub fn message(full_name: &str, value: impl Into<Bytes>) -> Self {
        Any {
            type_url: [MESSAGE_PREFIX, full_name].concat(),
            value: value.into(),
        }
    }

    /// Encodes a message.
    pub fn pack<M: Name>(message: &M) -> Self {
        Any::message(&M::full_name(), message.encode_to_vec())
    }

    /// Decodes a message, whatever the host part of the type URL.
    ///
    /// # Errors
    /// If the type name is another or the bytes are malformed.
    pub fn unpack<M: Name + Default>(&self) -> Result<M, UnpackError> {
        let expected = M::full_name();
        if self.type_name() != expected {
            return Err(UnpackError::Type {
                expected,
                actual: self.type_url.clone(),
            });
        }
        M::decode(self.value.clone()).map_err(|source| UnpackError::Decode {
            type_name: expected,
            source,
        })
    }

    /// The type URL behind its first `/`, or all of it when there is none.
    pub fn type_name(&self) -> &str {
        self.type_url
            .split_once('/')
            .map_or(&self.type_url, |(_, name)| name)
    }

    /// Wraps a primitive; a default value becomes empty bytes, so that equal values have equal encodings.
    pub fn primitive<P: Primitive>(value: &P) -> Self {
        Any {
            type_url: [PRIMITIVE_PREFIX, P::NAME].concat(),
            value: value.encode_field().into(),
        }
    }

    /// Reads a primitive: field 1 of the value, or the default when the field is absent.
    ///
    /// # Errors
    /// If the type URL names something else, or field 1 has another wire type.
    pub fn as_primitive<P: Primitive>(&self) -> Result<P, UnpackError> {
        if self.type_url.strip_prefix(PRIMITIVE_PREFIX) != Some(P::NAME) {
            let expected = [PRIMITIVE_PREFIX, P::NAME].concat();
            return Err(UnpackError::Type {
                expected,
                actual: self.type_url.clone(),
            });
        }
        P::decode_field(self.value.clone()).map_err(|source| UnpackError::Decode {
            type_name: P::NAME.to_owned(),
            source,
        })
    }

    /// Wraps JSON text under a type name. The text must already be stable (sorted keys, no spare white space).
    pub fn json(name: &str, text: &str) -> Self {
        let value = Bytes::copy_from_slice(text.as_bytes()).encode_field();
        Any {
            type_url: [JSON_PREFIX, name].concat(),
            value: value.into(),
        }
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// If the type URL is not a JSON one, or the text is not UTF-8.
    pub fn as_json(&self) -> Result<String, UnpackError> {
        if !self.type_url.starts_with(JSON_PREFIX) {
            let expected = [JSON_PREFIX, "*"].concat();
            return Err(UnpackError::Type {
                expected,
                actual: self.type_url.clone(),
            });
        }
        String::decode_field(self.value.clone()).map_err(|source| UnpackError::Decode {
            type_name: self.type_url.clone(),
            source,
        })
    }
}

/// Why a payload is not what the reader wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum UnpackError {
    /// The type URL names another type.
    Type {
        /// The type that was asked for.
        expected: String,
        /// The type URL that was found.
        actual: String,
    },
    /// The bytes do not decode as the type.
    Decode {
        /// The type that was asked for.
        type_name: String,
        /// What is wrong with the bytes.
        source: DecodeError,
    },
}

impl std::fmt::Display for UnpackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UnpackError::Type { expected, actual } => {
                write!(f, "expected type {expected} but found {actual}")
            }
            UnpackError::Decode { type_name, .. } => write!(f, "malformed value of type {type_name}"),
        }
    }
}

impl std::error::Error for UnpackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            UnpackError::Type { .. } => None,
            UnpackError::Decode { source, .. } => Some(source),
        }
    }
}

/// A scalar that has a type URL of its own.
pub trait Primitive: Sized + Default {
    /// The protobuf name of the scalar type.
    const NAME: &'static str;
    /// Encodes a message with only field 1; nothing for the default value.
    fn encode_field(&self) -> Vec<u8>;
    /// Reads field 1, skipping all others; the last one wins.
    ///
    /// # Errors
    /// If the bytes are malformed or field 1 has another wire type.
    fn decode_field(bytes: Bytes) -> Result<Self, DecodeError>;
}

macro_rules! primitive {
    ($rust:ty, $name:literal, $module:ident, $is_default:expr) => {
        impl Primitive for $rust {
            const NAME: &'static str = $name;

            fn encode_field(&self) -> Vec<u8> {
                let mut out = Vec::new();
                let is_default: fn(&$rust) -> bool = $is_default;
                if !is_default(self) {
                    prost::encoding::$module::encode(1, self, &mut out);
                }
                out
            }

            fn decode_field(bytes: Bytes) -> Result<Self, DecodeError> {
                let mut value = <$rust>::default();
                scan_field_one(bytes, |wire, buf, context| {
                    prost::encoding::$module::merge(wire, &mut value, buf, context)
                })?;
                Ok(value)
            }
        }
    };
}

primitive!(String, "string", string, String::is_empty);
primitive!(Bytes, "bytes", bytes, Bytes::is_empty);
primitive!(i32, "int32", int32, |v| *v == 0);
primitive!(i64, "int64", int64, |v| *v == 0);
primitive!(f32, "float", float, |v| v.to_bits() == 0);
primitive!(f64, "double", double, |v| v.to_bits() == 0);
primitive!(bool, "bool", bool, |v| !*v);

fn scan_field_one(
    mut bytes: Bytes,
    mut merge: impl FnMut(WireType, &mut Bytes, DecodeContext) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while bytes.has_remaining() {
        let (tag, wire) = decode_key(&mut bytes)?;
        if tag == 1 {
            merge(wire, &mut bytes, DecodeContext::default())?;
        } else {
            skip_field(wire, tag, &mut bytes, DecodeContext::default())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
