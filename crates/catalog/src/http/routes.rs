//! Finds the binding of a request.

use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use super::{HttpBinding, HttpVerb, PathTable};

/// All bindings of a catalog, arranged by the segments of their templates.
///
/// When several bindings match a path, [`PathTable`] says which templates go first. Of bindings with templates that match
/// the same paths, one that names the HTTP method goes before `GET` for a `HEAD` request, and that before one that takes
/// every method. Of those that are alike in this too, the one defined last wins.
#[derive(Debug)]
pub struct RouteTable {
    bindings: Vec<Arc<HttpBinding>>,
    paths: PathTable,
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
    /// The matched text, as [`PathMatch::variables`](super::PathMatch::variables) has it.
    pub value: String,
}

impl RouteTable {
    /// Arranges bindings, given in the order of their definition.
    pub(crate) fn new(bindings: &[Arc<HttpBinding>]) -> Self {
        let templates = bindings.iter().map(|binding| binding.template.clone());
        RouteTable {
            bindings: bindings.to_vec(),
            paths: PathTable::new(templates.collect()),
        }
    }

    /// Bindings that never get a request, each with the one that gets it instead.
    pub(crate) fn shadowed(&self) -> Vec<(&HttpBinding, &HttpBinding)> {
        let mut shadowed = Vec::new();
        for alike in self.paths.alike() {
            let bindings: Vec<&HttpBinding> = alike.iter().map(|index| &*self.bindings[*index]).collect();
            for (at, binding) in bindings.iter().enumerate() {
                let mut later = bindings[at + 1..].iter().rev();
                if let Some(winner) = later.find(|later| later.verb == binding.verb) {
                    shadowed.push((*binding, *winner));
                }
            }
        }
        shadowed
    }

    /// The binding for an HTTP method and the path of a request: percent-encoded, without the query.
    ///
    /// Any text has an answer. [`PathTable::find`] says how paths are read.
    pub fn find<'t>(&'t self, http_method: &str, path: &str) -> Route<'t> {
        let mut refused = Vec::new();
        let found = self.paths.find(path, |alike| {
            let chosen = self.choose(alike, http_method);
            if chosen.is_none() {
                refused.extend(
                    alike
                        .iter()
                        .filter_map(|index| Some(&self.bindings.get(*index)?.verb)),
                );
            }
            chosen
        });
        let found = match found {
            Ok(found) => found,
            Err(malformed) => {
                return Route::Malformed {
                    reason: malformed.to_string(),
                };
            }
        };
        match found.and_then(|found| Some((self.bindings.get(found.template)?, found.variables))) {
            Some((binding, values)) => Route::Found(RouteMatch {
                binding,
                variables: captures(binding, values),
            }),
            None => allow(&refused).map_or(Route::NotFound, |allow| Route::MethodNotAllowed { allow }),
        }
    }

    fn choose(&self, alike: &[usize], http_method: &str) -> Option<usize> {
        // From the last one on, since of those that fit alike the first one found is taken.
        let fitting = alike.iter().rev().filter_map(|index| {
            let fit = self.bindings.get(*index)?.verb.fit(http_method)?;
            Some((fit, *index))
        });
        fitting.min_by_key(|(fit, _)| *fit).map(|(_, index)| index)
    }
}

fn captures(binding: &HttpBinding, values: Vec<String>) -> Vec<Capture<'_>> {
    let variables = binding.variables.iter().zip(values);
    variables
        .map(|(fields, value)| Capture { fields, value })
        .collect()
}

fn allow(refused: &[&HttpVerb]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    // What takes every method is no name of one; it refuses CONNECT alone.
    for verb in refused.iter().filter(|verb| ***verb != HttpVerb::Any) {
        let and_head = (**verb == HttpVerb::Get).then_some("HEAD");
        for name in [verb.name()].into_iter().chain(and_head) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(", "))
}
