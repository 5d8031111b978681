//! Paths as OpenAPI writes them: every parameter is one whole segment.

use std::collections::HashSet;
use std::ops::Range;

use cloudstate_catalog::http::{HttpBinding, Segment};
use prost_reflect::FieldDescriptor;

use crate::comments::Comments;
use crate::model::{Map, Parameter, Place};
use crate::query::json_path;
use crate::schema::Schemas;
use crate::well_known;

/// A segment that no template has as literal: a control character, escaped.
const NO_LITERAL: &str = "%01";

/// The path of a binding.
pub(crate) struct Path<'b> {
    binding: &'b HttpBinding,
    /// The name of each parameter, in order.
    pub(crate) names: Vec<String>,
}

impl<'b> Path<'b> {
    pub(crate) fn of(binding: &'b HttpBinding) -> Self {
        let mut path = Path {
            binding,
            names: Vec::new(),
        };
        let mut taken = HashSet::new();
        for index in path.wildcards() {
            let name = match path.variable(index) {
                Some((fields, own)) if path.wildcards_in(&own) == 1 => json_path(fields),
                Some((fields, own)) => {
                    let place = path.wildcards_in(&(own.start..index)) + 1;
                    format!("{}_{place}", json_path(fields))
                }
                None => "segment".to_owned(),
            };
            path.names.push(free(&name, &mut taken));
        }
        path
    }

    /// Equal for paths that OpenAPI cannot tell apart.
    pub(crate) fn shape(&self) -> String {
        self.written(|_| "{}".to_owned())
    }

    /// The path with these names for its parameters.
    pub(crate) fn key(&self, names: &[String]) -> String {
        self.written(|position| format!("{{{}}}", names.get(position).map_or("", String::as_str)))
    }

    /// A path that it stands for, and as few other paths as possible.
    pub(crate) fn probe(&self) -> String {
        self.written(|_| NO_LITERAL.to_owned())
    }

    fn written(&self, wildcard: impl Fn(usize) -> String) -> String {
        let template = &self.binding.template;
        let mut text = String::new();
        let mut position = 0;
        for segment in template.segments() {
            text.push('/');
            match segment {
                Segment::Literal(literal) => text += &encode(literal),
                Segment::One | Segment::Rest => {
                    text += &wildcard(position);
                    position += 1;
                }
            }
        }
        if let Some(verb) = template.verb() {
            text.push(':');
            text += &encode(verb);
        }
        text
    }

    /// The parameters of the path under these names.
    pub(crate) fn parameters(
        &self,
        names: &[String],
        schemas: &mut Schemas<'_>,
        comments: &Comments,
    ) -> Vec<Parameter> {
        let segments = self.binding.template.segments();
        let parameter = |(index, name): (usize, &String)| {
            let mut notes: Vec<String> = Vec::new();
            let mut schema = well_known::text();
            if let Some((fields, own)) = self.variable(index) {
                let field = fields.last();
                notes.extend(field.and_then(|field| comments.field(field)));
                if own.len() == 1 {
                    schema = field.map_or(schema, |field| schemas.value(&field.kind()));
                } else {
                    let whole = self.part(&own, names);
                    notes.push(format!("Part of `{}`, which is `{whole}`.", json_path(fields)));
                }
            }
            if segments.get(index) == Some(&Segment::Rest) {
                notes.push("May hold several segments, parted by `/`.".to_owned());
            }
            Parameter {
                name: name.clone(),
                place: Place::Path,
                description: (!notes.is_empty()).then(|| notes.join("\n\n")),
                required: true,
                deprecated: false,
                schema: Some(schema),
                content: Map::default(),
            }
        };
        self.wildcards().into_iter().zip(names).map(parameter).collect()
    }

    /// The segments of a variable as they stand in the path.
    fn part(&self, own: &Range<usize>, names: &[String]) -> String {
        let key = self.key(names);
        let verb = self
            .binding
            .template
            .verb()
            .map(|verb| format!(":{}", encode(verb)));
        let without_verb = key.strip_suffix(&verb.unwrap_or_default()).unwrap_or(&key);
        // What comes before the first slash is empty.
        let segments: Vec<&str> = without_verb.split('/').skip(1).collect();
        segments.get(own.clone()).unwrap_or_default().join("/")
    }

    /// The segments that are wildcards.
    fn wildcards(&self) -> Vec<usize> {
        let segments = self.binding.template.segments().iter().enumerate();
        segments
            .filter(|(_, segment)| !matches!(segment, Segment::Literal(_)))
            .map(|(index, _)| index)
            .collect()
    }

    fn wildcards_in(&self, range: &Range<usize>) -> usize {
        self.wildcards()
            .iter()
            .filter(|index| range.contains(index))
            .count()
    }

    /// The variable that captures a segment: the fields down to the one that it sets, and all its segments.
    fn variable(&self, segment: usize) -> Option<(&'b [FieldDescriptor], Range<usize>)> {
        let variables = self
            .binding
            .variables
            .iter()
            .zip(self.binding.template.captures());
        variables
            .map(|(fields, own)| (fields.as_slice(), own))
            .find(|(_, own)| own.contains(&segment))
    }
}

/// The name, or if it is taken, the name with the first number that makes it free.
pub(crate) fn free(name: &str, taken: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

/// Percent-encodes all but what a path segment may hold as it is. Source: RFC 3986 §3.3.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ if b"-._~!$&'()*+,;=:@".contains(&byte) => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
