//! Values that are persisted: events, snapshots, values.

use cloudstate_protocol::Any;
use cloudstate_protocol::any::{JSON_PREFIX, PRIMITIVE_PREFIX, UnpackError};
use prost::Name;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a persisted value cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The value has another type, or its bytes are malformed.
    #[error("cannot read a persisted value: {0}")]
    Unpack(#[from] UnpackError),
    /// None of the types that the reader knows.
    #[error("cannot read a persisted value of type {0}: no variant of the payload type holds it")]
    Unknown(String),
    /// The JSON text does not fit the type, or the type cannot be JSON.
    #[error("cannot convert a persisted value of type {type_name} from or to JSON: {source}")]
    Json {
        /// The type's name in the type URL.
        type_name: &'static str,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
}

/// A value that can be persisted as `google.protobuf.Any`. Implemented for every generated protobuf message, for
/// [`Primitive`] and [`Json`], and by [`payloads!`](crate::payloads) for enums of these.
pub trait Payload: Sized {
    /// Whether the value's type is this one. Cheap: does not decode.
    fn is_type_of(any: &Any) -> bool;

    /// Encodes.
    ///
    /// # Errors
    /// Only types that are not protobuf can fail.
    fn to_any(&self) -> Result<Any, PayloadError>;

    /// Decodes.
    ///
    /// # Errors
    /// If the type is another, or the bytes are malformed.
    fn from_any(any: &Any) -> Result<Self, PayloadError>;
}

impl<M: Name + Default> Payload for M {
    fn is_type_of(any: &Any) -> bool {
        let name = any.type_name();
        name.ends_with(M::NAME) && name == M::full_name()
    }

    fn to_any(&self) -> Result<Any, PayloadError> {
        Ok(Any::pack(self))
    }

    fn from_any(any: &Any) -> Result<Self, PayloadError> {
        Ok(any.unpack()?)
    }
}

/// A scalar as a persisted value: `String`, `Bytes`, `i32`, `i64`, `f32`, `f64` or `bool`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primitive<P>(pub P);

impl<P> From<P> for Primitive<P> {
    fn from(value: P) -> Self {
        Primitive(value)
    }
}

impl From<&str> for Primitive<String> {
    fn from(value: &str) -> Self {
        Primitive(value.to_owned())
    }
}

impl<P: cloudstate_protocol::any::Primitive> Payload for Primitive<P> {
    fn is_type_of(any: &Any) -> bool {
        any.type_url.strip_prefix(PRIMITIVE_PREFIX) == Some(P::NAME)
    }

    fn to_any(&self) -> Result<Any, PayloadError> {
        Ok(Any::primitive(&self.0))
    }

    fn from_any(any: &Any) -> Result<Self, PayloadError> {
        Ok(Primitive(any.as_primitive()?))
    }
}

/// A type that is persisted as JSON, wrapped in [`Json`].
pub trait JsonType: Serialize + DeserializeOwned {
    /// Its name in the type URL, `json.cloudstate.io/<name>`. Never change it once there is something stored.
    const TYPE_NAME: &'static str;
}

/// A value persisted as JSON text with sorted keys and no white space, so that equal values have equal bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Json<T>(pub T);

impl<T: JsonType> Payload for Json<T> {
    fn is_type_of(any: &Any) -> bool {
        any.type_url.strip_prefix(JSON_PREFIX) == Some(T::TYPE_NAME)
    }

    fn to_any(&self) -> Result<Any, PayloadError> {
        // By way of `Value`, whose maps are sorted.
        let value = serde_json::to_value(&self.0).map_err(json_error::<T>)?;
        Ok(Any::json(T::TYPE_NAME, &value.to_string()))
    }

    fn from_any(any: &Any) -> Result<Self, PayloadError> {
        if !Self::is_type_of(any) {
            let expected = [JSON_PREFIX, T::TYPE_NAME].concat();
            return Err(UnpackError::Type {
                expected,
                actual: any.type_url.clone(),
            }
            .into());
        }
        Ok(Json(
            serde_json::from_str(&any.as_json()?).map_err(json_error::<T>)?,
        ))
    }
}

fn json_error<T: JsonType>(source: serde_json::Error) -> PayloadError {
    PayloadError::Json {
        type_name: T::TYPE_NAME,
        source,
    }
}

/// An already encoded value of any type; it passes as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Raw(pub Any);

impl Payload for Raw {
    fn is_type_of(_: &Any) -> bool {
        true
    }

    fn to_any(&self) -> Result<Any, PayloadError> {
        Ok(self.0.clone())
    }

    fn from_any(any: &Any) -> Result<Self, PayloadError> {
        Ok(Raw(any.clone()))
    }
}

/// Declares an enum with one payload type a variant, such as the events of an entity, and implements [`Payload`] for
/// it and `From` for each variant's type.
///
/// ```
/// # use cloudstate_sdk::{Primitive, payloads};
/// payloads! {
///     /// What can happen to a counter.
///     #[derive(Debug, Clone, PartialEq)]
///     pub enum CounterEvent {
///         /// It grew.
///         Increased(Primitive<i64>),
///         /// It was named.
///         Named(Primitive<String>),
///     }
/// }
/// let event: CounterEvent = Primitive(3).into();
/// assert_eq!(event, CounterEvent::Increased(Primitive(3)));
/// ```
#[macro_export]
macro_rules! payloads {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident($type:ty)),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant($type)),+
        }

        impl $crate::Payload for $name {
            fn is_type_of(any: &$crate::protocol::Any) -> bool {
                $(<$type as $crate::Payload>::is_type_of(any))||+
            }

            fn to_any(&self) -> ::core::result::Result<$crate::protocol::Any, $crate::PayloadError> {
                match self {
                    $($name::$variant(value) => $crate::Payload::to_any(value)),+
                }
            }

            fn from_any(
                any: &$crate::protocol::Any,
            ) -> ::core::result::Result<Self, $crate::PayloadError> {
                $(if <$type as $crate::Payload>::is_type_of(any) {
                    return $crate::Payload::from_any(any).map($name::$variant);
                })+
                ::core::result::Result::Err($crate::PayloadError::Unknown(any.type_url.clone()))
            }
        }

        $(impl ::core::convert::From<$type> for $name {
            fn from(value: $type) -> Self {
                $name::$variant(value)
            }
        })+
    };
}

#[cfg(test)]
mod tests;
