//! What the crate offers: a compiled plan and its two directions.

use std::sync::Arc;

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use crate::compile::Compiler;
use crate::types::Types;
use crate::{JsonError, WireError, to_json, to_wire};

/// What a plan is made for.
#[derive(Debug, Clone, PartialEq)]
pub enum Root {
    /// JSON of a message is its JSON form.
    Message(MessageDescriptor),
    /// JSON of a message is the JSON form of this one field of it.
    Field(FieldDescriptor),
}

/// How one message type, or one field of it, is written in JSON and on the wire. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Plan {
    types: Arc<Types>,
    root: usize,
}

impl Plan {
    /// Compiles one plan.
    pub fn new(root: &Root) -> Plan {
        let mut compiler = Compiler::default();
        let root = compiler.root(root);
        let types = Arc::new(compiler.finish());
        Plan { types, root }
    }

    /// Compiles plans, in the order of the roots. They share what their types have in common, so that all roots of an API are
    /// best compiled at once.
    pub fn compile(roots: impl IntoIterator<Item = Root>) -> Vec<Plan> {
        let mut compiler = Compiler::default();
        let roots: Vec<usize> = roots.into_iter().map(|root| compiler.root(&root)).collect();
        let types = Arc::new(compiler.finish());
        let plan = |root| Plan {
            types: types.clone(),
            root,
        };
        roots.into_iter().map(plan).collect()
    }

    /// Reads a JSON text and writes the message in wire format, fields in the order of the text.
    ///
    /// Accepts everything that the JSON mapping calls acceptable: field names in both forms, numbers as text, enum values by
    /// number, all variants of base64, `null` for an absent field. A field or map key given twice, and two fields of one
    /// oneof, are refused.
    ///
    /// Of a [`Root::Field`] the text is the field's value, and the message holds that field alone: appended to the wire format
    /// of the rest of the message it completes it. As a value in its own right it cannot be `null`.
    ///
    /// # Errors
    /// The text is no JSON, or does not fit the message. The error names field and position.
    pub fn to_wire(&self, json: &[u8]) -> Result<Vec<u8>, JsonError> {
        to_wire::message(&self.types, self.root, json)
    }

    /// Reads a message in wire format and writes it as JSON, without insignificant white space.
    ///
    /// Fields come in the order of their numbers, under their lowerCamel names, with default values unless the field tells
    /// absence from default. Map entries come in the order of the wire. Unknown fields are left out, and what the wire
    /// holds more than once is merged as protobuf prescribes.
    ///
    /// Of a [`Root::Field`] the text is the value of that field; `null` if it can be absent and is.
    ///
    /// # Errors
    /// The bytes are no such message, or JSON has no form for it, such as a `google.protobuf.Timestamp` beyond the year
    /// 9999. The error names field and position.
    pub fn to_json(&self, message: &[u8]) -> Result<Vec<u8>, WireError> {
        to_json::message(&self.types, self.root, message)
    }
}
