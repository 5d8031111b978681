//! HTTP methods as rules name them.

use std::fmt;

/// The HTTP method of a binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum HttpVerb {
    Get,
    Put,
    Post,
    Delete,
    Patch,
    /// Another one, by its name: `HEAD`, `LINK`.
    Custom(Box<str>),
    /// Every method but `CONNECT`.
    Any,
}

/// How well a binding's HTTP method fits a request; the smallest fits best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It is named.
    Exact,
    /// `HEAD` is answered as `GET` is, without the body.
    AsGet,
    /// The binding takes every method.
    Any,
}

impl HttpVerb {
    /// The verb of a `custom` pattern: a name of HTTP (a token of RFC 9110, case sensitive), or `*` for every one.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match kind {
            "*" => Some(HttpVerb::Any),
            "GET" => Some(HttpVerb::Get),
            "PUT" => Some(HttpVerb::Put),
            "POST" => Some(HttpVerb::Post),
            "DELETE" => Some(HttpVerb::Delete),
            "PATCH" => Some(HttpVerb::Patch),
            // It asks for a tunnel and has no path.
            "" | "CONNECT" => None,
            name => name.bytes().all(is_token).then(|| HttpVerb::Custom(name.into())),
        }
    }

    /// Whether a request of this HTTP method is meant. `HEAD` counts as `GET`.
    pub fn accepts(&self, http_method: &str) -> bool {
        self.fit(http_method).is_some()
    }

    pub(super) fn fit(&self, http_method: &str) -> Option<Fit> {
        match self {
            // It asks for a tunnel, which a 2xx would open.
            HttpVerb::Any => (http_method != "CONNECT").then_some(Fit::Any),
            verb if verb.name() == http_method => Some(Fit::Exact),
            HttpVerb::Get if http_method == "HEAD" => Some(Fit::AsGet),
            _ => None,
        }
    }

    /// Whether a request of this HTTP method can have content. RFC 9110 forbids it for `TRACE` and gives it no meaning
    /// for `HEAD`.
    pub(super) fn allows_body(&self) -> bool {
        !matches!(self.name(), "HEAD" | "TRACE")
    }

    /// The name in an HTTP request, or `*`.
    pub fn name(&self) -> &str {
        match self {
            HttpVerb::Get => "GET",
            HttpVerb::Put => "PUT",
            HttpVerb::Post => "POST",
            HttpVerb::Delete => "DELETE",
            HttpVerb::Patch => "PATCH",
            HttpVerb::Custom(name) => name,
            HttpVerb::Any => "*",
        }
    }
}

impl fmt::Display for HttpVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
