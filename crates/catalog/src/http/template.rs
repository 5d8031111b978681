//! Path templates of `google.api.http`.
//!
//! ```text
//!   template  = "/" segments [ ":" literal ]
//!   segments  = segment { "/" segment }
//!   segment   = "*" | "**" | literal | variable
//!   variable  = "{" fieldpath [ "=" segments ] "}"        without variables inside
//!   fieldpath = ident { "." ident }
//!   literal   = any run, also an empty one, without * { } / : and line breaks
//! ```

mod parser;

use std::fmt;
use std::ops::Range;

/// A parsed path template, with its variables replaced by the segments that they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: Box<str>,
    pub(super) segments: Vec<Segment>,
    pub(super) variables: Vec<Variable>,
    /// The literal after the last `:`, decoded.
    pub(super) verb: Option<Box<str>>,
}

/// What one segment of a path has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text, percent-decoded.
    Literal(Box<str>),
    /// Any text without `/`.
    One,
    /// The rest of the path, also none. Always the last.
    Rest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Names joined by `.`.
    pub(super) field_path: Box<str>,
    /// The segments of the template that it captures.
    pub(super) segments: Range<usize>,
    /// Whether the last of them is `**`.
    pub(super) takes_rest: bool,
}

impl Variable {
    /// Whether a value may have several segments, so that a `/` in it parts them.
    pub(super) fn is_of_several(&self) -> bool {
        self.takes_rest || self.segments.len() != 1
    }
}

/// Why a text is no path template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from 1. One past the last character is the end of the input.
    pub column: usize,
    /// The whole text.
    pub template: String,
    /// What to write instead.
    pub fix: &'static str,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at ", self.message)?;
        if self.column > self.template.chars().count() {
            write!(f, "end of input")?;
        } else {
            write!(f, "character {}", self.column)?;
        }
        write!(f, " of '{}'", self.template)
    }
}

impl PathTemplate {
    /// Parses a template such as `/v1/{cart=carts/*}/items:add`.
    ///
    /// # Errors
    ///
    /// Says what is wrong and in which column.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        parser::parse(template)
    }

    /// The template that matches exactly the path `/<segment>/<segment>…` of these texts.
    pub(super) fn of_literals(segments: &[&str]) -> Self {
        PathTemplate {
            text: segments
                .iter()
                .flat_map(|segment| ["/", segment])
                .collect::<String>()
                .into(),
            segments: segments
                .iter()
                .map(|segment| Segment::Literal((*segment).into()))
                .collect(),
            variables: Vec::new(),
            verb: None,
        }
    }

    /// The field paths of the variables, such as `cart.id`, in the order of the template.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.field_path)
    }

    /// The segments, with variables replaced by those that they stand for.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// For each variable, in the order of the template, which of the segments it captures.
    pub fn captures(&self) -> impl Iterator<Item = Range<usize>> {
        self.variables.iter().map(|variable| variable.segments.clone())
    }

    /// The literal after the last `:`, percent-decoded.
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
