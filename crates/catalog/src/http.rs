//! HTTP bindings of methods: `google.api.http` rules, checked and compiled.
//!
//! ```text
//!   method options ──▶ rule and additional bindings ──▶ HttpBinding { verb, template, variables, body, response body }
//!                                                             ├──▶ RouteTable: verb and path ──▶ binding, variables
//!                                                             └──▶ plans: JSON ◀──▶ the messages of the binding
//! ```
//!
//! Sources: the comments of `google/api/http.proto`, and the reference where they leave something open.
//!
//! Absent: running the plans, query parameters and sockets. They belong to the gateway.

mod paths;
mod percent;
mod plans;
mod routes;
mod rule;
mod template;
#[cfg(test)]
mod tests;
mod verb;

use std::sync::{Arc, OnceLock};

use prost_reflect::FieldDescriptor;

use crate::Method;

pub use paths::{MalformedPath, PathMatch, PathTable};
pub(crate) use plans::compile as compile_plans;
pub use routes::{Capture, Route, RouteMatch, RouteTable};
pub(crate) use rule::bindings_of;
pub use template::{PathTemplate, Segment, TemplateError};
pub use verb::HttpVerb;

/// One HTTP endpoint of a method.
#[derive(Debug)]
pub struct HttpBinding {
    /// What it calls.
    pub method: Arc<Method>,
    /// The HTTP method that it answers to.
    pub verb: HttpVerb,
    /// The paths that it answers to.
    pub template: PathTemplate,
    /// What the request body becomes.
    pub body: RequestBody,
    /// The field of the reply that is the response body; `None` for the whole reply.
    pub response_body: Option<FieldDescriptor>,
    /// For each variable of the template, in order, the fields from the request message down to what it sets. The
    /// last one is a singular scalar, string, bytes or enum field; those before it are singular messages.
    pub variables: Vec<Vec<FieldDescriptor>>,
    /// Compiled for all bindings at once, when all are known.
    plans: OnceLock<plans::Plans>,
}

/// What the body of an HTTP request becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestBody {
    /// Nothing: fields come from query parameters and path variables.
    Ignored,
    /// The whole request message, which path variables then overwrite.
    Message,
    /// This field of the request, of any type; other fields come from query parameters, and path variables overwrite.
    Field(FieldDescriptor),
}
