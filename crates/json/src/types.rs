//! The plan's data: message and enum types, referring to each other by index.

use prost::encoding::WireType;
use prost_reflect::MessageDescriptor;

const EMPTY: &str = "google.protobuf.Empty";

/// Every type that the roots can reach.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    /// What a `google.protobuf.Any` can hold: every message type there is, by full name, sorted. Empty without an `Any`.
    pub(crate) by_full_name: Vec<(Box<str>, usize)>,
}

/// A message type.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) descriptor: MessageDescriptor,
    pub(crate) shape: Shape,
    /// By rising number, the order in which they are written as JSON.
    pub(crate) fields: Vec<Field>,
    /// Every name that JSON may use for a field, sorted, and the field's index.
    pub(crate) names: Vec<(Box<str>, usize)>,
    pub(crate) oneofs: Vec<Box<str>>,
}

/// What a message looks like in JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// An object.
    Object,
    /// The value of one of its fields: wrappers, `google.protobuf.Struct` and `ListValue`, and roots that are a field.
    Field(usize),
    /// A member of an object: the entry of a map.
    Entry,
    /// Any JSON: `google.protobuf.Value`.
    Value,
    /// Text.
    Timestamp,
    /// Text.
    Duration,
    /// Text.
    FieldMask,
    /// The object of another message with its type, or the value of one that is no object: `google.protobuf.Any`.
    Any,
    /// Whatever prost-reflect makes of it.
    Reflected,
}

/// A field of a message type.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// Its name in JSON.
    pub(crate) name: Box<str>,
    /// `,"name":` as it stands in JSON.
    pub(crate) key: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) layout: Layout,
    /// Whether its messages stand between two tags, as proto2 groups do, and not behind a length.
    pub(crate) group: bool,
    /// Whether absence differs from the default value.
    pub(crate) presence: bool,
    /// Index of its oneof in the message.
    pub(crate) oneof: Option<usize>,
    /// What is written for it when it is absent.
    pub(crate) default: Box<str>,
}

/// How often a field may occur.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    Singular,
    List { packed: bool },
    Map,
}

/// The type of a field's values; messages and enums by index. Of a map it is the entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(usize),
    Message(usize),
}

/// An enum type.
#[derive(Debug)]
pub(crate) struct Enum {
    /// Values by rising number, and how each is written in JSON, quotes included.
    pub(crate) values: Vec<(i32, Box<str>)>,
    /// Sorted, with their numbers.
    pub(crate) names: Vec<(Box<str>, i32)>,
    /// Whether it is `google.protobuf.NullValue`, written as `null`.
    pub(crate) is_null: bool,
    /// How the default value is written in JSON, quotes included.
    pub(crate) default: Box<str>,
}

impl Types {
    /// The message type that a URL such as `type.googleapis.com/shop.Cart` names.
    pub(crate) fn by_url(&self, url: &str) -> Result<usize, String> {
        let Some((_, name)) = url.rsplit_once('/') else {
            return Err(format!("the type [{url}] is no URL: it has no slash"));
        };
        let found = self
            .by_full_name
            .binary_search_by(|(candidate, _)| (**candidate).cmp(name));
        match found {
            Ok(found) => Ok(self.by_full_name[found].1),
            Err(_) => Err(format!("the type [{name}] is unknown")),
        }
    }
}

impl Message {
    /// Whether a `google.protobuf.Any` shows it as a member `value`, and not by its own members.
    pub(crate) fn is_value_in_any(&self) -> bool {
        let is_object = matches!(self.shape, Shape::Object | Shape::Reflected);
        !is_object || self.descriptor.full_name() == EMPTY
    }

    /// Whether it has no members, so that a `google.protobuf.Any` may leave its value out.
    pub(crate) fn is_empty_type(&self) -> bool {
        self.descriptor.full_name() == EMPTY
    }

    /// The field of a number. `guess` is the index that it is most likely at, or just before.
    #[inline]
    pub(crate) fn by_number(&self, number: u32, guess: usize) -> Option<usize> {
        let at = |index: usize| self.fields.get(index).is_some_and(|field| field.number == number);
        if at(guess + 1) {
            return Some(guess + 1);
        }
        if at(guess) {
            return Some(guess);
        }
        let found = self.fields.binary_search_by_key(&number, |field| field.number);
        found.ok()
    }

    /// The field that JSON calls by a name. `guess` is the index that it is most likely at.
    pub(crate) fn by_name(&self, name: &str, guess: usize) -> Option<usize> {
        if self.fields.get(guess).is_some_and(|field| *field.name == *name) {
            return Some(guess);
        }
        let found = self
            .names
            .binary_search_by(|(candidate, _)| (**candidate).cmp(name));
        Some(self.names[found.ok()?].1)
    }
}

impl Field {
    /// Whether values of this wire type may stand in the field.
    pub(crate) fn accepts(&self, wire_type: WireType) -> bool {
        match wire_type {
            WireType::StartGroup => self.group,
            WireType::LengthDelimited if !self.group => {
                let one = self.kind.wire_type() == WireType::LengthDelimited;
                one || matches!(self.layout, Layout::List { .. })
            }
            other => other == self.kind.wire_type(),
        }
    }
}

impl Kind {
    pub(crate) const fn wire_type(self) -> WireType {
        match self {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::SixtyFourBit,
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::ThirtyTwoBit,
            Kind::String | Kind::Bytes | Kind::Message(_) => WireType::LengthDelimited,
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 => {
                WireType::Varint
            }
            Kind::Bool | Kind::Enum(_) => WireType::Varint,
        }
    }

    /// Whether many values may share one record.
    pub(crate) fn is_packable(self) -> bool {
        self.wire_type() != WireType::LengthDelimited
    }
}

impl Enum {
    /// How a value is written in JSON; `None` if the type does not know it.
    pub(crate) fn by_number(&self, number: i32) -> Option<&str> {
        let found = self.values.binary_search_by_key(&number, |(number, _)| *number);
        Some(&self.values[found.ok()?].1)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<i32> {
        let found = self
            .names
            .binary_search_by(|(candidate, _)| (**candidate).cmp(name));
        Some(self.names[found.ok()?].1)
    }
}
