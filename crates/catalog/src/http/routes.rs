//! Finds the binding of a request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use super::percent::{self, DecodeError};
use super::template::Segment;
use super::{HttpBinding, HttpVerb};

/// All bindings of a catalog, arranged by the segments of their templates.
///
/// When several bindings match a path, one with a verb (`:watch`) goes before one without, then, segment by segment
/// from the left, a literal before `*` and `*` before `**`. Of bindings that are alike in this, the one defined last
/// wins.
#[derive(Debug, Default)]
pub struct RouteTable {
    bindings: Vec<Arc<HttpBinding>>,
    /// The root is the first; empty without bindings.
    nodes: Vec<Node>,
}

/// The bindings that share a start of their templates.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize>,
    one: Option<usize>,
    /// Bindings that end here.
    here: Vec<usize>,
    /// Bindings that take the rest of the path, of at least one segment.
    rest: Vec<usize>,
}

/// The answer of [`RouteTable::find`].
#[derive(Debug)]
pub enum Route<'t> {
    /// This binding takes the request.
    Found(RouteMatch<'t>),
    /// Only bindings of other HTTP methods have such a path.
    MethodNotAllowed {
        /// The value of the header `Allow`.
        allow: String,
    },
    /// No binding has such a path.
    NotFound,
    /// The path is not correctly percent-encoded.
    Malformed {
        /// What is wrong and where, in bytes from 0.
        reason: String,
    },
}

/// A binding and what its variables matched.
#[derive(Debug)]
pub struct RouteMatch<'t> {
    /// The binding.
    pub binding: &'t Arc<HttpBinding>,
    /// One for each variable of the template, in order.
    pub variables: Vec<Capture<'t>>,
}

/// What a variable matched.
#[derive(Debug, PartialEq)]
pub struct Capture<'t> {
    /// The fields from the request message down to the one to set.
    pub fields: &'t [FieldDescriptor],
    /// The matched text, percent-decoded; several segments are joined with `/`.
    pub value: String,
}

impl RouteTable {
    /// Arranges bindings, given in the order of their definition.
    pub(crate) fn new(bindings: &[Arc<HttpBinding>]) -> Self {
        let mut table = RouteTable {
            bindings: bindings.to_vec(),
            nodes: vec![Node::default()],
        };
        for (index, binding) in bindings.iter().enumerate() {
            table.insert(index, &binding.template.segments);
        }
        table
    }

    fn insert(&mut self, binding: usize, segments: &[Segment]) {
        let mut node = 0;
        for segment in segments {
            let unused = self.nodes.len();
            let next = match segment {
                Segment::Literal(text) => *self.nodes[node].literals.entry(text.clone()).or_insert(unused),
                Segment::One => *self.nodes[node].one.get_or_insert(unused),
                Segment::Rest => return self.nodes[node].rest.push(binding),
            };
            if next == unused {
                self.nodes.push(Node::default());
            }
            node = next;
        }
        self.nodes[node].here.push(binding);
    }

    /// The binding for an HTTP method and the path of a request: percent-encoded, without the query.
    ///
    /// Escaped and plain characters are the same (`%61` is `a`), but `%2F` does not part segments, and `%3A` starts a
    /// verb only if nothing else matches.
    pub fn find<'t>(&'t self, http_method: &str, path: &str) -> Route<'t> {
        let Some(encoded) = path.strip_prefix('/') else {
            return Route::NotFound;
        };
        match self.search(http_method, encoded) {
            Ok(route) => route,
            Err((offset, error)) => Route::Malformed {
                reason: match error {
                    DecodeError::Escape(at) => {
                        format!(
                            "`%` without two hexadecimal digits at byte {} of the path",
                            1 + offset + at
                        )
                    }
                    DecodeError::NotUtf8 => {
                        format!(
                            "escapes that are not UTF-8 in the segment at byte {} of the path",
                            1 + offset
                        )
                    }
                },
            },
        }
    }

    fn search<'t>(&'t self, http_method: &str, encoded: &str) -> Result<Route<'t>, (usize, DecodeError)> {
        let mut segments = Vec::new();
        let mut offset = 0;
        for segment in encoded.split('/') {
            segments.push(percent::decode(segment).map_err(|error| (offset, error))?);
            offset += segment.len() + 1;
        }
        let mut search = Search {
            table: self,
            http_method,
            refused: Vec::new(),
        };
        let found = search
            .with_verb(&segments, encoded_verb(encoded))
            .or_else(|| search.run(&segments, None));
        if let Some(found) = found {
            return Ok(Route::Found(found));
        }
        let last = segments.last().map_or("", |segment| &**segment);
        if search.refused.is_empty()
            && let Some(found) = search.with_verb(&segments, split_verb(last))
        {
            return Ok(Route::Found(found));
        }
        Ok(match allow(&search.refused) {
            None => Route::NotFound,
            Some(allow) => Route::MethodNotAllowed { allow },
        })
    }
}

/// The last segment before and after its last plain `:`, decoded.
fn encoded_verb(encoded: &str) -> Option<(String, String)> {
    let last = encoded.rsplit('/').next().unwrap_or_default();
    let (before, verb) = last.rsplit_once(':')?;
    // The whole segment was decoded before, so its parts decode as well, unless a character's escapes stand on
    // both sides of the colon; then it was refused.
    Some((
        percent::decode(before).ok()?.into_owned(),
        percent::decode(verb).ok()?.into_owned(),
    ))
}

fn split_verb(decoded: &str) -> Option<(String, String)> {
    decoded
        .rsplit_once(':')
        .map(|(before, verb)| (before.to_owned(), verb.to_owned()))
}

/// One look-up: a walk over the nodes, remembering what other HTTP methods would have matched.
struct Search<'t, 'r> {
    table: &'t RouteTable,
    http_method: &'r str,
    refused: Vec<HttpVerb>,
}

impl<'t> Search<'t, '_> {
    fn with_verb(
        &mut self,
        segments: &[Cow<'_, str>],
        verb: Option<(String, String)>,
    ) -> Option<RouteMatch<'t>> {
        let (before, verb) = verb?;
        let mut segments = segments.to_vec();
        *segments.last_mut()? = Cow::Owned(before);
        self.run(&segments, Some(&verb))
    }

    /// Visits each node at most once: the way to a node fixes how many segments are behind it.
    fn run(&mut self, segments: &[Cow<'_, str>], verb: Option<&str>) -> Option<RouteMatch<'t>> {
        let nodes = &self.table.nodes;
        let mut open = vec![Step::Node(0, 0)];
        while let Some(step) = open.pop() {
            let ends = match step {
                Step::Rest(node) => &nodes.get(node)?.rest,
                Step::Node(node, depth) => {
                    let node_index = node;
                    let node = nodes.get(node_index)?;
                    match segments.get(depth) {
                        None => &node.here,
                        Some(segment) => {
                            // The last one pushed is tried first.
                            open.push(Step::Rest(node_index));
                            open.extend(node.one.map(|next| Step::Node(next, depth + 1)));
                            open.extend(
                                node.literals
                                    .get(&**segment)
                                    .map(|next| Step::Node(*next, depth + 1)),
                            );
                            continue;
                        }
                    }
                }
            };
            if let Some(binding) = self.choose(ends, verb) {
                return Some(capture(binding, segments));
            }
        }
        None
    }

    fn choose(&mut self, ends: &[usize], verb: Option<&str>) -> Option<&'t Arc<HttpBinding>> {
        let bindings = &self.table.bindings;
        for binding in ends.iter().rev().filter_map(|index| bindings.get(*index)) {
            if binding.template.verb.as_deref() != verb {
                continue;
            }
            if binding.verb.accepts(self.http_method) {
                return Some(binding);
            }
            self.refused.push(binding.verb);
        }
        None
    }
}

enum Step {
    /// A node, and how many segments led to it.
    Node(usize, usize),
    /// The bindings of a node that take all further segments.
    Rest(usize),
}

fn capture<'t>(binding: &'t Arc<HttpBinding>, segments: &[Cow<'_, str>]) -> RouteMatch<'t> {
    let template = &binding.template;
    let variables = template
        .variables
        .iter()
        .zip(&binding.variables)
        .map(|(variable, fields)| {
            let takes_rest = template
                .segments
                .get(variable.segments.clone())
                .is_some_and(|own| own.contains(&Segment::Rest));
            let end = if takes_rest {
                segments.len()
            } else {
                variable.segments.end
            };
            Capture {
                fields,
                value: segments
                    .get(variable.segments.start..end)
                    .unwrap_or_default()
                    .join("/"),
            }
        });
    RouteMatch {
        binding,
        variables: variables.collect(),
    }
}

fn allow(refused: &[HttpVerb]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for verb in refused {
        let and_head = (*verb == HttpVerb::Get).then_some("HEAD");
        for name in [verb.name()].into_iter().chain(and_head) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(", "))
}
