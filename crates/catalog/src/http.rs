//! HTTP bindings of methods: `google.api.http` rules, checked and compiled.
//!
//! ```text
//!   method options ──▶ rule and additional bindings ──▶ HttpBinding { verb, template, variables, body, response body }
//!                                                             └──▶ RouteTable: verb and path ──▶ binding, variables
//! ```
//!
//! Absent: reading and writing JSON, query parameters and sockets. They belong to the gateway.

mod percent;
mod routes;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use crate::Method;

pub use routes::{Capture, Route, RouteMatch, RouteTable};
pub(crate) use rule::bindings_of;
pub use template::{PathTemplate, Segment, TemplateError};

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
}

/// What the body of an HTTP request becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestBody {
    /// Nothing: fields come from query parameters and path variables.
    Ignored,
    /// The whole request message, which path variables then overwrite.
    Message,
    /// This message field of the request; other fields come from query parameters and path variables.
    Field(FieldDescriptor),
}

/// The HTTP method of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum HttpVerb {
    Get,
    Put,
    Post,
    Delete,
    Patch,
    /// Every method.
    Any,
}

impl HttpVerb {
    /// Whether a request of this HTTP method is meant. `HEAD` counts as `GET`.
    pub fn accepts(self, http_method: &str) -> bool {
        match self {
            HttpVerb::Any => true,
            HttpVerb::Get => matches!(http_method, "GET" | "HEAD"),
            verb => verb.name() == http_method,
        }
    }

    /// The name in an HTTP request, or `*`.
    pub const fn name(self) -> &'static str {
        match self {
            HttpVerb::Get => "GET",
            HttpVerb::Put => "PUT",
            HttpVerb::Post => "POST",
            HttpVerb::Delete => "DELETE",
            HttpVerb::Patch => "PATCH",
            HttpVerb::Any => "*",
        }
    }
}

impl fmt::Display for HttpVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
