//! Recursive descent over the characters of a template. Positions count characters from 0.

use super::{PathTemplate, Segment, TemplateError, Variable, literal};

const NO_SLASH: &str = "Template must start with a slash";
const NESTED: &str = "Variable segments may not be nested";
const UNCLOSED: &str = "Unclosed variable or unexpected character";
const UNEXPECTED: &str = "Expected '/', ':', path literal character, or end of input";
const DUPLICATE: &str = "Duplicate path in template";
const REST_NOT_LAST: &str = "Multi segment matchers (**) may only be in the last position of the template";

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
        Err(Failure { message, position }) => Err(TemplateError {
            message,
            column: position + 1,
            template: template.to_owned(),
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
    position: usize,
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
                _ => self.segment(),
            }
            if !self.eat('/') {
                break;
            }
        }
        let verb = if self.eat(':') {
            Some(literal(&self.literal()))
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
    fn segment(&mut self) {
        let position = self.position;
        let segment = match (self.eat('*'), self.peek()) {
            (true, Some('*')) => {
                self.position += 1;
                Segment::Rest
            }
            (true, _) => Segment::One,
            (false, _) => Segment::Literal(literal(&self.literal())),
        };
        self.segments.push((segment, position));
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
            return Err(Failure {
                message: DUPLICATE.to_owned(),
                position,
            });
        }
        let first = self.segments.len();
        if self.eat('=') {
            loop {
                if self.peek() == Some('{') {
                    return Err(self.failure(NESTED));
                }
                self.segment();
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
        let segments = first..self.segments.len();
        self.variables.push(Variable {
            field_path: field_path.into(),
            segments,
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, Failure> {
        let mut path = String::new();
        loop {
            match self.peek() {
                Some(first) if first.is_ascii_alphabetic() => {}
                Some(other) => {
                    return Err(self.failure(format!("Expected identifier first letter, but got '{other}'")));
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

    fn literal(&mut self) -> String {
        self.run(|c| !matches!(c, '*' | '{' | '}' | '/' | ':' | '\n'))
    }

    fn check_rest(&self) -> Result<(), Failure> {
        let before_last = self.segments.split_last().map_or(&[][..], |(_, before)| before);
        match before_last.iter().find(|(segment, _)| *segment == Segment::Rest) {
            Some((_, position)) => Err(Failure {
                message: REST_NOT_LAST.to_owned(),
                position: *position,
            }),
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

    fn failure(&self, message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            position: self.position,
        }
    }
}
