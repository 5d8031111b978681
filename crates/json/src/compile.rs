//! From descriptors to types.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor};

use crate::plan::Root;
use crate::types::{Enum, Field, Kind, Layout, Message, Shape, Types};
use crate::well_known;

/// Compiles each type once.
#[derive(Default)]
pub(crate) struct Compiler {
    types: Types,
    messages: HashMap<String, usize>,
    enums: HashMap<String, usize>,
    /// Types that have their index but not their fields yet; a type can refer to itself.
    open: Vec<usize>,
}

impl Compiler {
    /// The index of a root.
    pub(crate) fn root(&mut self, root: &Root) -> usize {
        let index = match root {
            Root::Message(descriptor) => self.message(descriptor),
            Root::Field(field) => self.view(field),
        };
        while let Some(index) = self.open.pop() {
            self.fill(index);
        }
        index
    }

    pub(crate) fn finish(mut self) -> Types {
        let has_any = self
            .types
            .messages
            .iter()
            .any(|message| message.shape == Shape::Any);
        if has_any {
            let named = self.messages.into_iter();
            self.types.by_full_name = named.map(|(name, index)| (name.into(), index)).collect();
            self.types.by_full_name.sort();
        }
        self.types
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> usize {
        if let Some(index) = self.messages.get(descriptor.full_name()) {
            return *index;
        }
        let index = self.add(descriptor, shape(descriptor));
        self.messages.insert(descriptor.full_name().to_owned(), index);
        index
    }

    /// A message of which one field is shown. It has the other fields too: they may be of the same oneof.
    fn view(&mut self, field: &FieldDescriptor) -> usize {
        let before = |other: &FieldDescriptor| other.number() < field.number();
        let position = field.parent_message().fields().filter(before).count();
        self.add(field.parent_message(), Shape::Field(position))
    }

    fn add(&mut self, descriptor: &MessageDescriptor, shape: Shape) -> usize {
        let index = self.types.messages.len();
        self.types.messages.push(Message {
            descriptor: descriptor.clone(),
            shape,
            fields: Vec::new(),
            names: Vec::new(),
            oneofs: Vec::new(),
        });
        self.open.push(index);
        index
    }

    fn fill(&mut self, index: usize) {
        let Message {
            descriptor, shape, ..
        } = &self.types.messages[index];
        if *shape == Shape::Reflected {
            return;
        }
        let (descriptor, shape) = (descriptor.clone(), *shape);
        if shape == Shape::Any {
            for message in descriptor.parent_pool().all_messages() {
                self.message(&message);
            }
        }
        let fields: Vec<Field> = descriptor.fields().map(|field| self.field(&field)).collect();
        let message = &mut self.types.messages[index];
        message.names = names(&descriptor, &fields);
        message.oneofs = descriptor.oneofs().map(|oneof| oneof.name().into()).collect();
        message.fields = fields;
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let kind = self.kind(&field.kind());
        let layout = match field {
            _ if field.is_map() => Layout::Map,
            _ if field.is_list() => Layout::List {
                packed: field.is_packed(),
            },
            _ => Layout::Singular,
        };
        let default = match layout {
            Layout::Singular => self.default(kind),
            Layout::List { .. } => "[]".into(),
            Layout::Map => "{}".into(),
        };
        let oneof = field.containing_oneof().and_then(|oneof| {
            let mut oneofs = field.parent_message().oneofs();
            oneofs.position(|candidate| candidate == oneof)
        });
        Field {
            number: field.number(),
            name: field.json_name().into(),
            key: format!(",{}:", serde_json::Value::from(field.json_name())).into(),
            kind,
            layout,
            group: field.is_group(),
            presence: field.supports_presence(),
            oneof,
            default,
        }
    }

    fn kind(&mut self, kind: &prost_reflect::Kind) -> Kind {
        match kind {
            prost_reflect::Kind::Double => Kind::Double,
            prost_reflect::Kind::Float => Kind::Float,
            prost_reflect::Kind::Int32 => Kind::Int32,
            prost_reflect::Kind::Int64 => Kind::Int64,
            prost_reflect::Kind::Uint32 => Kind::Uint32,
            prost_reflect::Kind::Uint64 => Kind::Uint64,
            prost_reflect::Kind::Sint32 => Kind::Sint32,
            prost_reflect::Kind::Sint64 => Kind::Sint64,
            prost_reflect::Kind::Fixed32 => Kind::Fixed32,
            prost_reflect::Kind::Fixed64 => Kind::Fixed64,
            prost_reflect::Kind::Sfixed32 => Kind::Sfixed32,
            prost_reflect::Kind::Sfixed64 => Kind::Sfixed64,
            prost_reflect::Kind::Bool => Kind::Bool,
            prost_reflect::Kind::String => Kind::String,
            prost_reflect::Kind::Bytes => Kind::Bytes,
            prost_reflect::Kind::Enum(descriptor) => Kind::Enum(self.enumeration(descriptor)),
            prost_reflect::Kind::Message(descriptor) => Kind::Message(self.message(descriptor)),
        }
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> usize {
        if let Some(index) = self.enums.get(descriptor.full_name()) {
            return *index;
        }
        let index = self.types.enums.len();
        self.types.enums.push(enumeration(descriptor));
        self.enums.insert(descriptor.full_name().to_owned(), index);
        index
    }

    /// The JSON text of a singular field that is absent. Messages are never shown then, but in a map, where they are empty.
    fn default(&self, kind: Kind) -> Box<str> {
        match kind {
            Kind::Double | Kind::Float => "0.0".into(),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => "0".into(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => "\"0\"".into(),
            Kind::Bool => "false".into(),
            Kind::String | Kind::Bytes => "\"\"".into(),
            Kind::Enum(index) => self.types.enums[index].default.clone(),
            Kind::Message(_) => "".into(),
        }
    }
}

fn shape(descriptor: &MessageDescriptor) -> Shape {
    if descriptor.is_map_entry() {
        Shape::Entry
    } else if descriptor.extensions().len() > 0 {
        // Their JSON names are looked up in the whole pool.
        Shape::Reflected
    } else {
        well_known::shape(descriptor)
    }
}

/// The names that JSON may use. Where the name of one field is the JSON name of another, the latter is meant.
fn names(descriptor: &MessageDescriptor, fields: &[Field]) -> Vec<(Box<str>, usize)> {
    let mut names: Vec<(Box<str>, usize)> = Vec::with_capacity(2 * fields.len());
    for field in descriptor.fields() {
        for name in [field.json_name(), field.name()] {
            let meant = descriptor
                .get_field_by_json_name(name)
                .or_else(|| descriptor.get_field_by_name(name))
                .and_then(|meant| fields.iter().position(|field| field.number == meant.number()));
            names.extend(meant.map(|index| (name.into(), index)));
        }
    }
    names.sort();
    names.dedup();
    names
}

fn enumeration(descriptor: &EnumDescriptor) -> Enum {
    let is_null = descriptor.full_name() == "google.protobuf.NullValue";
    let text = |name: &str| match is_null {
        true => "null".into(),
        false => serde_json::Value::from(name).to_string().into(),
    };
    let mut numbers: Vec<i32> = descriptor.values().map(|value| value.number()).collect();
    numbers.dedup();
    // Of several names of a number, the one that prost-reflect takes.
    let named = |number| Some((number, text(descriptor.get_value(number)?.name())));
    let default = named(descriptor.default_value().number());
    let mut names: Vec<(Box<str>, i32)> = descriptor
        .values()
        .map(|value| (value.name().into(), value.number()))
        .collect();
    names.sort();
    Enum {
        values: numbers.into_iter().filter_map(named).collect(),
        names,
        is_null,
        default: default.map(|(_, text)| text).unwrap_or_default(),
    }
}
