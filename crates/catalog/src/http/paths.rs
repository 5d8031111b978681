//! Finds the template of a path.
//!
//! ```text
//!   /carts/{id}   ─┐            ┌─ lost ■       1. a literal
//!   /carts/lost   ─┼─▶ carts ───┼─ *    ■       2. one segment
//!   /carts/**     ─┘            └─ **   ■       3. the rest, also none
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::percent::{self, DecodeError};
use super::template::{PathTemplate, Segment, Variable};

/// Path templates, arranged by their segments.
///
/// Of several that match a path, one with a verb (`:watch`) goes before one without. Among those, segment by segment from
/// the left, a literal goes before `*`, and `*` before `**`. What is alike in this matches the same paths, and is offered
/// together.
#[derive(Debug)]
pub struct PathTable {
    templates: Vec<PathTemplate>,
    /// The root is the first.
    nodes: Vec<Node>,
}

/// The templates that share a start.
#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<Box<str>, usize>,
    one: Option<usize>,
    /// Templates that end here.
    here: Vec<Alike>,
    /// Templates that take the rest of the path.
    rest: Vec<Alike>,
}

/// Templates that match the same paths.
#[derive(Debug)]
struct Alike {
    verb: Option<Box<str>>,
    templates: Vec<usize>,
}

/// The answer of [`PathTable::find`].
#[derive(Debug, PartialEq, Eq)]
pub struct PathMatch {
    /// The index of the template.
    pub template: usize,
    /// What each of its variables matched, in order. Percent-decoded; several segments are joined with `/`, and in them
    /// `%2F` stays as it is.
    pub variables: Vec<String>,
}

/// A path is not correctly percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPath {
    /// A `%` is not followed by two hexadecimal digits.
    #[error("`%` without two hexadecimal digits at byte {0} of the path")]
    Escape(usize),
    /// The decoded text is not UTF-8.
    #[error("escapes that are not UTF-8 in the segment at byte {0} of the path")]
    NotUtf8(usize),
}

impl PathTable {
    /// Arranges templates. Their indices are their places in this order.
    pub fn new(templates: Vec<PathTemplate>) -> Self {
        let mut table = PathTable {
            templates: Vec::new(),
            nodes: vec![Node::default()],
        };
        for (index, template) in templates.iter().enumerate() {
            table.insert(index, template);
        }
        PathTable { templates, ..table }
    }

    fn insert(&mut self, index: usize, template: &PathTemplate) {
        let mut at = 0;
        for segment in &template.segments {
            let unused = self.nodes.len();
            let node = &mut self.nodes[at];
            let next = match segment {
                Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(unused),
                Segment::One => *node.one.get_or_insert(unused),
                Segment::Rest => return add(&mut node.rest, index, template),
            };
            if next == unused {
                self.nodes.push(Node::default());
            }
            at = next;
        }
        add(&mut self.nodes[at].here, index, template);
    }

    /// The sets of templates that match the same paths, each by index in rising order.
    pub(super) fn alike(&self) -> impl Iterator<Item = &[usize]> {
        let ends = self
            .nodes
            .iter()
            .flat_map(|node| node.here.iter().chain(&node.rest));
        ends.map(|alike| &*alike.templates)
    }

    /// Finds the template of a path: percent-encoded, from its `/`, without the query.
    ///
    /// `choose` is offered the templates that match, the more specific first, by index: those that are alike together, in
    /// the order of their definition. It takes one of them or none, upon which the search goes on.
    ///
    /// Escaped and plain characters are the same (`%61` is `a`), but `%2F` does not part segments, and `%3A` starts a verb
    /// only if nothing else was offered.
    ///
    /// # Errors
    ///
    /// The path is not correctly percent-encoded.
    pub fn find(
        &self,
        path: &str,
        mut choose: impl FnMut(&[usize]) -> Option<usize>,
    ) -> Result<Option<PathMatch>, MalformedPath> {
        let Some(encoded) = path.strip_prefix('/') else {
            return Ok(None);
        };
        let mut segments = split(encoded)?;
        let last = segments.last().map_or("", |segment| segment.encoded);
        let mut search = Search {
            table: self,
            choose: &mut choose,
            offered: false,
        };
        let verb = last.rfind(':').map(|colon| (colon, 1));
        let mut found = search.with_verb(&mut segments, verb);
        if found.is_none() {
            found = search.run(&segments, None);
        }
        if found.is_none() && !search.offered {
            let verb = last.to_ascii_uppercase().rfind("%3A").map(|colon| (colon, 3));
            found = search.with_verb(&mut segments, verb);
        }
        Ok(found)
    }
}

fn add(ends: &mut Vec<Alike>, index: usize, template: &PathTemplate) {
    match ends.iter_mut().find(|alike| alike.verb == template.verb) {
        Some(alike) => alike.templates.push(index),
        None => ends.push(Alike {
            verb: template.verb.clone(),
            templates: vec![index],
        }),
    }
}

/// A segment of a path as it was sent, and decoded.
#[derive(Clone)]
struct PathSegment<'p> {
    encoded: &'p str,
    text: Cow<'p, str>,
}

impl<'p> PathSegment<'p> {
    fn decode(encoded: &'p str) -> Result<Self, DecodeError> {
        let text = percent::decode(encoded)?;
        Ok(PathSegment { encoded, text })
    }
}

fn split(encoded: &str) -> Result<Vec<PathSegment<'_>>, MalformedPath> {
    // The slash in front of the path.
    let mut offset = 1;
    let mut segments = Vec::with_capacity(8);
    for segment in encoded.split('/') {
        segments.push(PathSegment::decode(segment).map_err(|error| match error {
            DecodeError::Escape(at) => MalformedPath::Escape(offset + at),
            DecodeError::NotUtf8 => MalformedPath::NotUtf8(offset),
        })?);
        offset += segment.len() + 1;
    }
    Ok(segments)
}

/// One look-up.
struct Search<'t, 'c, C> {
    table: &'t PathTable,
    choose: &'c mut C,
    /// Whether `choose` was asked at all.
    offered: bool,
}

enum Step {
    /// A node, and how many segments led to it.
    Node(usize, usize),
    /// The templates of a node that take all further segments.
    Rest(usize),
}

impl<C: FnMut(&[usize]) -> Option<usize>> Search<'_, '_, C> {
    /// Looks with the last segment cut at the colon, given by its place and length, and what follows it as the verb.
    fn with_verb(
        &mut self,
        segments: &mut [PathSegment<'_>],
        colon: Option<(usize, usize)>,
    ) -> Option<PathMatch> {
        let (colon, length) = colon?;
        let last = segments.last_mut()?;
        let encoded = last.encoded;
        // The whole segment was decoded, and a colon is never part of a longer character.
        let before = PathSegment::decode(encoded.get(..colon)?).ok()?;
        let verb = percent::decode(encoded.get(colon + length..)?).ok()?;
        let whole = std::mem::replace(last, before);
        let found = self.run(segments, Some(&verb));
        *segments.last_mut()? = whole;
        found
    }

    /// Visits each node at most once: the way to a node fixes how many segments are behind it.
    fn run(&mut self, segments: &[PathSegment<'_>], verb: Option<&str>) -> Option<PathMatch> {
        let nodes = &self.table.nodes;
        let mut open = Vec::with_capacity(8);
        open.push(Step::Node(0, 0));
        while let Some(step) = open.pop() {
            let ends = match step {
                Step::Rest(index) => &nodes.get(index)?.rest,
                Step::Node(index, depth) => {
                    let node = nodes.get(index)?;
                    // The last one pushed is tried first.
                    open.push(Step::Rest(index));
                    match segments.get(depth) {
                        None => &node.here,
                        Some(segment) => {
                            open.extend(node.one.map(|next| Step::Node(next, depth + 1)));
                            let literal = node.literals.get(&*segment.text);
                            open.extend(literal.map(|next| Step::Node(*next, depth + 1)));
                            continue;
                        }
                    }
                }
            };
            let found = self.offer(ends, segments, verb);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn offer(
        &mut self,
        ends: &[Alike],
        segments: &[PathSegment<'_>],
        verb: Option<&str>,
    ) -> Option<PathMatch> {
        let alike = ends.iter().find(|alike| alike.verb.as_deref() == verb)?;
        self.offered = true;
        let template = (self.choose)(&alike.templates)?;
        let variables = &self.table.templates.get(template)?.variables;
        Some(PathMatch {
            template,
            variables: variables
                .iter()
                .map(|variable| capture(variable, segments))
                .collect(),
        })
    }
}

fn capture(variable: &Variable, segments: &[PathSegment<'_>]) -> String {
    let range = &variable.segments;
    let end = if variable.takes_rest {
        segments.len()
    } else {
        range.end
    };
    // Empty where `**` matched nothing.
    let matched = segments.get(range.start..end).unwrap_or_default();
    match matched {
        [only] if !variable.is_of_several() => only.text.clone().into_owned(),
        several => {
            let mut value = String::new();
            for (at, segment) in several.iter().enumerate() {
                if at > 0 {
                    value.push('/');
                }
                // It was decoded before, so it does decode.
                value.push_str(&percent::decode_but_slashes(segment.encoded).unwrap_or_default());
            }
            value
        }
    }
}
