//! The objects of an OpenAPI document that are used here, named as the specification names them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// An OpenAPI document.
#[derive(Debug, PartialEq, Serialize)]
pub struct Document {
    pub(crate) openapi: &'static str,
    pub(crate) info: Info,
    pub(crate) tags: Vec<Tag>,
    pub(crate) paths: Map<PathItem>,
    pub(crate) components: Components,
}

impl Document {
    /// The document as JSON.
    #[expect(
        clippy::expect_used,
        reason = "writing JSON to memory fails only for map keys that are not text; here all are"
    )]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("the document is made of text, numbers, lists and maps of text")
    }
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Info {
    pub(crate) title: String,
    pub(crate) version: String,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct PathItem {
    /// By their HTTP method, in lower case.
    #[serde(flatten)]
    pub(crate) operations: Map<Operation>,
    /// By their HTTP method, where OpenAPI 3.1 has no place for it.
    #[serde(rename = "x-additional-operations", skip_serializing_if = "Map::is_empty")]
    pub(crate) others: Map<Operation>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) tags: [String; 1],
    pub(crate) operation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deprecated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_body: Option<RequestBody>,
    pub(crate) responses: Map<Response>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(rename = "in")]
    pub(crate) place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deprecated: bool,
    /// What it is as text; else `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<Schema>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) content: Map<MediaType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct RequestBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) content: Map<MediaType>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Response {
    Reference {
        #[serde(rename = "$ref")]
        target: String,
    },
    Own {
        description: String,
        #[serde(skip_serializing_if = "Map::is_empty")]
        content: Map<MediaType>,
    },
}

/// Without a schema: any bytes.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct MediaType {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<Schema>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Components {
    pub(crate) schemas: BTreeMap<String, Schema>,
    pub(crate) responses: Map<Response>,
}

/// A JSON Schema; the empty one allows everything.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schema {
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deprecated: bool,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Types>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_media_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum: Option<u32>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) properties: Map<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) property_names: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) additional_properties: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) one_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) any_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) all_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not: Option<Box<Schema>>,
}

/// The value of `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Types {
    One(&'static str),
    Either([&'static str; 2]),
}

/// Entries in the order in which they came, which is what a reader of the document sees.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Map<V>(pub(crate) Vec<(String, V)>);

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map(Vec::new())
    }
}

impl<V> Map<V> {
    pub(crate) fn one(name: &str, value: V) -> Self {
        Map(vec![(name.to_owned(), value)])
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, value: V) {
        self.0.push((name.into(), value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V: Serialize> Serialize for Map<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// By reference, because serde asks for it.
fn is_false(flag: &bool) -> bool {
    !flag
}
