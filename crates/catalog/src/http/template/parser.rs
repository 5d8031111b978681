//! Recursive descent over the characters of a template. Positions count characters from 0.

use super::{PathTemplate, Segment, TemplateError, Variable};
use crate::http::percent::{self, DecodeError};

/// What can be wrong: the text of the reference where it has one, and what to write instead.
struct Mistake {
    message: &'static str,
    fix: &'static str,
}

const NO_SLASH: Mistake = Mistake {
    message: "Template must start with a slash",
    fix: "Put a / in front.",
};
const NESTED: Mistake = Mistake {
    message: "Variable segments may not be nested",
    fix: "Inside a variable write only literals, * and **.",
};
const UNCLOSED: Mistake = Mistake {
    message: "Unclosed variable or unexpected character",
    fix: "Write a variable as {field} or {field=segments}, where each segment is a literal, * or **.",
};
const UNEXPECTED: Mistake = Mistake {
    message: "Expected '/', ':', path literal character, or end of input",
    fix: "Write each segment as a literal, *, ** or a variable, and a verb at the end as :verb.",
};
const DUPLICATE: Mistake = Mistake {
    message: "Duplicate path in template",
    fix: "Let each variable name another field.",
};
const REST_NOT_LAST: Mistake = Mistake {
    message: "Multi segment matchers (**) may only be in the last position of the template",
    fix: "Write * for one segment, or move ** to the end.",
};
const NO_FIELD: &str = "Write the name of a field as in the .proto file.";
const ESCAPE: Mistake = Mistake {
    message: "'%' without two hexadecimal digits",
    fix: "Write a literal % as %25.",
};
const NOT_UTF8: Mistake = Mistake {
    message: "Escapes that are not UTF-8",
    fix: "Write the characters themselves, or the escapes of their UTF-8 form.",
};

pub(super) fn parse(template: &str) -> Result<PathTemplate, TemplateError> {
    let mut parser = Parser {
        characters: template.chars().collect(),
        position: 0,
        segments: Vec::new(),
        variables: Vec::new(),
    };
    match parser.template() {
        Ok(verb) => Ok(PathTemplate {
            text: template.into(),
            segments: parser.segments.into_iter().map(|(segment, _)| segment).collect(),
            variables: parser.variables,
            verb,
        }),
        Err(Failure {
            message,
            fix,
            position,
        }) => Err(TemplateError {
            message,
            column: position + 1,
            template: template.to_owned(),
            fix,
        }),
    }
}

struct Parser {
    characters: Vec<char>,
    position: usize,
    /// With the position of each.
    segments: Vec<(Segment, usize)>,
    variables: Vec<Variable>,
}

struct Failure {
    message: String,
    fix: &'static str,
    position: usize,
}

impl Mistake {
    fn at(self, position: usize) -> Failure {
        Failure {
            message: self.message.to_owned(),
            fix: self.fix,
            position,
        }
    }
}

impl Parser {
    /// Returns the verb.
    fn template(&mut self) -> Result<Option<Box<str>>, Failure> {
        if !self.eat('/') {
            return Err(self.failure(NO_SLASH));
        }
        loop {
            match self.peek() {
                Some('{') => self.variable()?,
                _ => self.segment()?,
            }
            if !self.eat('/') {
                break;
            }
        }
        let verb = if self.eat(':') {
            Some(self.literal()?)
        } else {
            None
        };
        if self.peek().is_some() {
            return Err(self.failure(UNEXPECTED));
        }
        self.check_rest()?;
        Ok(verb)
    }

    /// A wildcard or literal.
    fn segment(&mut self) -> Result<(), Failure> {
        let position = self.position;
        let segment = match (self.eat('*'), self.peek()) {
            (true, Some('*')) => {
                self.position += 1;
                Segment::Rest
            }
            (true, _) => Segment::One,
            (false, _) => Segment::Literal(self.literal()?),
        };
        self.segments.push((segment, position));
        Ok(())
    }

    fn variable(&mut self) -> Result<(), Failure> {
        let opening = self.position;
        self.position += 1;
        let position = self.position;
        let field_path = self.field_path()?;
        if self
            .variables
            .iter()
            .any(|other| *other.field_path == *field_path)
        {
            return Err(DUPLICATE.at(position));
        }
        let first = self.segments.len();
        if self.eat('=') {
            loop {
                if self.peek() == Some('{') {
                    return Err(self.failure(NESTED));
                }
                self.segment()?;
                if !self.eat('/') {
                    break;
                }
            }
        } else {
            self.segments.push((Segment::One, opening));
        }
        if !self.eat('}') {
            return Err(self.failure(UNCLOSED));
        }
        let last = self.segments.last();
        self.variables.push(Variable {
            field_path: field_path.into(),
            takes_rest: last.is_some_and(|(segment, _)| *segment == Segment::Rest),
            segments: first..self.segments.len(),
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, Failure> {
        let mut path = String::new();
        loop {
            match self.peek() {
                Some(first) if first.is_ascii_alphabetic() => {}
                Some(other) => {
                    return Err(Failure {
                        message: format!("Expected identifier first letter, but got '{other}'"),
                        fix: NO_FIELD,
                        position: self.position,
                    });
                }
                None => return Err(self.failure(UNCLOSED)),
            }
            path.push_str(&self.run(|c| c.is_ascii_alphanumeric() || c == '_'));
            if !self.eat('.') {
                return Ok(path);
            }
            path.push('.');
        }
    }

    /// Templates may be written encoded or not: both match the same paths.
    fn literal(&mut self) -> Result<Box<str>, Failure> {
        let start = self.position;
        let text = self.run(|c| !matches!(c, '*' | '{' | '}' | '/' | ':' | '\n'));
        match percent::decode(&text) {
            Ok(decoded) => Ok(decoded.into()),
            Err(DecodeError::Escape(offset)) => {
                let before = text.get(..offset).unwrap_or_default();
                Err(ESCAPE.at(start + before.chars().count()))
            }
            Err(DecodeError::NotUtf8) => Err(NOT_UTF8.at(start)),
        }
    }

    fn check_rest(&self) -> Result<(), Failure> {
        let before_last = self.segments.split_last().map_or(&[][..], |(_, before)| before);
        match before_last.iter().find(|(segment, _)| *segment == Segment::Rest) {
            Some((_, position)) => Err(REST_NOT_LAST.at(*position)),
            None => Ok(()),
        }
    }

    fn run(&mut self, accepted: impl Fn(char) -> bool) -> String {
        let run: String = self.characters[self.position..]
            .iter()
            .take_while(|c| accepted(**c))
            .collect();
        self.position += run.chars().count();
        run
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.position += usize::from(found);
        found
    }

    fn failure(&self, mistake: Mistake) -> Failure {
        mistake.at(self.position)
    }
}
