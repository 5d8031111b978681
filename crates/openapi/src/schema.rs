//! Messages and enums as JSON Schemas.

use std::collections::{BTreeMap, HashSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};

use crate::comments::Comments;
use crate::model::{Map, Schema};
use crate::well_known;

/// The schemas that a document speaks of.
pub(crate) struct Schemas<'c> {
    comments: &'c Comments,
    /// Names that were referred to.
    known: HashSet<String>,
    /// Those of them that have no schema yet.
    open: Vec<Named>,
}

enum Named {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

impl<'c> Schemas<'c> {
    pub(crate) fn new(comments: &'c Comments) -> Self {
        Schemas {
            comments,
            known: HashSet::new(),
            open: Vec::new(),
        }
    }

    /// A message type: in place if it is well-known, else by reference.
    pub(crate) fn message(&mut self, message: &MessageDescriptor) -> Schema {
        well_known::message(message.full_name())
            .unwrap_or_else(|| self.refer(message.full_name(), || Named::Message(message.clone())))
    }

    /// A value of a field, one of many if it is repeated. Without the field's description.
    pub(crate) fn value(&mut self, kind: &Kind) -> Schema {
        match kind {
            Kind::Message(message) => self.message(message),
            Kind::Enum(of) => well_known::enumeration(of.full_name())
                .unwrap_or_else(|| self.refer(of.full_name(), || Named::Enum(of.clone()))),
            scalar => well_known::scalar(scalar).unwrap_or_default(),
        }
    }

    /// All that a field holds, without its description.
    pub(crate) fn content(&mut self, field: &FieldDescriptor) -> Schema {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let values = self.value(&entry.map_entry_value_field().kind());
                Schema {
                    property_names: map_keys(&entry.map_entry_key_field().kind()).map(Box::new),
                    additional_properties: Some(Box::new(values)),
                    ..well_known::object()
                }
            }
            kind if field.is_list() => well_known::array(self.value(&kind)),
            kind => self.value(&kind),
        }
    }

    /// An object with the fields of a message, except those of some numbers.
    pub(crate) fn object(&mut self, message: &MessageDescriptor, except: &[u32]) -> Schema {
        let mut properties = Map::default();
        for field in in_order(message).filter(|field| !except.contains(&field.number())) {
            let mut schema = self.content(&field);
            if let Some(comment) = self.comments.field(&field) {
                schema.description = Some(comment);
            }
            schema.deprecated = is_deprecated(&field);
            properties.push(field.json_name(), schema);
        }
        let alternatives = message
            .oneofs()
            .filter_map(|oneof| self.at_most_one(&oneof, except));
        Schema {
            description: self.comments.message(message),
            properties,
            all_of: alternatives.collect(),
            ..well_known::object()
        }
    }

    /// One of the fields is there, or none. `None` where that says nothing.
    fn at_most_one(&self, oneof: &OneofDescriptor, except: &[u32]) -> Option<Schema> {
        let there = |field: FieldDescriptor| Schema {
            required: vec![field.json_name().to_owned()],
            ..Schema::default()
        };
        let fields = oneof.fields().filter(|field| !except.contains(&field.number()));
        let each: Vec<Schema> = fields.map(there).collect();
        if oneof.is_synthetic() || each.len() < 2 {
            return None;
        }
        let any = Schema {
            any_of: each.clone(),
            ..Schema::default()
        };
        let none = Schema {
            not: Some(Box::new(any)),
            ..Schema::default()
        };
        Some(Schema {
            description: self.comments.oneof(oneof),
            one_of: each.into_iter().chain([none]).collect(),
            ..Schema::default()
        })
    }

    fn refer(&mut self, full_name: &str, named: impl FnOnce() -> Named) -> Schema {
        let name = component(full_name);
        let reference = Some(format!("#/components/schemas/{name}"));
        if self.known.insert(name) {
            self.open.push(named());
        }
        Schema {
            reference,
            ..Schema::default()
        }
    }

    /// The schemas of all that was referred to, and of what they refer to.
    pub(crate) fn components(mut self) -> BTreeMap<String, Schema> {
        let mut schemas = BTreeMap::new();
        // A list of its own instead of recursion, since types may be nested as deep as their author likes.
        while let Some(named) = self.open.pop() {
            match named {
                Named::Message(message) => {
                    let schema = Schema {
                        deprecated: message
                            .descriptor_proto()
                            .options
                            .as_ref()
                            .is_some_and(|options| options.deprecated()),
                        ..self.object(&message, &[])
                    };
                    schemas.insert(component(message.full_name()), schema);
                }
                Named::Enum(of) => {
                    schemas.insert(component(of.full_name()), self.enumeration(&of));
                }
            }
        }
        schemas
    }

    fn enumeration(&self, of: &EnumDescriptor) -> Schema {
        let mut names: Vec<String> = Vec::new();
        let mut description = self.comments.enumeration(of).unwrap_or_default();
        // In the order of the `.proto` file; a descriptor lists them by number.
        for value in &of.enum_descriptor_proto().value {
            let Some(value) = of.get_value_by_name(value.name()) else {
                continue;
            };
            if let Some(comment) = self.comments.enum_value(&value) {
                let gap = if description.is_empty() || description.contains("\n* `") {
                    "\n"
                } else {
                    "\n\n"
                };
                description += &format!("{gap}* `{}`: {}", value.name(), comment.replace('\n', "\n  "));
            }
            names.push(value.name().to_owned());
        }
        let description = description.trim_start_matches('\n');
        Schema {
            description: (!description.is_empty()).then(|| description.to_owned()),
            deprecated: of
                .enum_descriptor_proto()
                .options
                .as_ref()
                .is_some_and(|options| options.deprecated()),
            values: names,
            ..well_known::text()
        }
    }
}

/// The fields in the order of the `.proto` file; a descriptor lists them by number.
pub(crate) fn in_order(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    let numbers = message
        .descriptor_proto()
        .field
        .iter()
        .map(|field| field.number());
    numbers.filter_map(|number| message.get_field(u32::try_from(number).ok()?))
}

pub(crate) fn is_deprecated(field: &FieldDescriptor) -> bool {
    let options = field.field_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.deprecated())
}

/// The name of a component. Names of the language are of its alphabet; others could come from a tool.
fn component(full_name: &str) -> String {
    full_name.replace(
        |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'),
        "_",
    )
}

/// What keys of a map look like; `None` for any text.
fn map_keys(kind: &Kind) -> Option<Schema> {
    match kind {
        Kind::String => None,
        Kind::Bool => Some(Schema {
            values: ["true", "false"].map(str::to_owned).to_vec(),
            ..Schema::default()
        }),
        Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => Some(Schema {
            pattern: Some("^[0-9]+$"),
            ..Schema::default()
        }),
        _ => Some(Schema {
            pattern: Some("^-?[0-9]+$"),
            ..Schema::default()
        }),
    }
}
