//! The part of PromQL that the dashboard uses. What is not of it is an error, so that nothing passes unread.
//!
//! ```text
//!   expr      = term { ("+" | "-") term }            call      = name "(" [ expr { "," expr } ] ")"
//!   term      = operand { ("*" | "/") operand }      aggregate = name "by" "(" labels ")" "(" expr ")"
//!   operand   = number | "(" expr ")" | call | aggregate | selector
//!   selector  = name "{" label ("=" | "!=" | "=~" | "!~") string { "," … } "}" [ "[" range "]" ]
//! ```

use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Selector(Selector),
    Call {
        function: String,
        arguments: Vec<Expr>,
    },
    Aggregate {
        operator: String,
        by: BTreeSet<String>,
        of: Box<Expr>,
    },
    Binary(Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selector {
    pub(super) name: String,
    pub(super) matchers: Vec<Matcher>,
    /// Of a range vector: what stands in the brackets.
    pub(super) range: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) operator: &'static str,
    pub(super) value: String,
}

impl Matcher {
    /// The values that it names, if they stand there: a variable of the dashboard does not.
    pub(super) fn values(&self) -> Vec<&str> {
        match self.operator {
            _ if self.value.starts_with('$') => Vec::new(),
            "=~" | "!~" => self.value.split('|').collect(),
            _ => vec![&self.value],
        }
    }

    pub(super) fn takes(&self, value: &str) -> bool {
        self.value.starts_with('$') || self.values().contains(&value) != self.operator.starts_with('!')
    }
}

/// Reads an expression to its end.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { rest: text };
    let expr = parser.expr()?;
    match parser.rest.trim_start() {
        "" => Ok(expr),
        rest => Err(format!("an end was expected, not [{rest}]")),
    }
}

const AGGREGATORS: [&str; 4] = ["sum", "min", "max", "avg"];

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let taken = rest.strip_prefix(token);
        self.rest = taken.unwrap_or(rest);
        taken.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("[{token}] was expected before [{}]", self.rest)),
        }
    }

    /// The longest beginning of these characters, at least one.
    fn word(&mut self, what: &str, is_part: impl Fn(char) -> bool) -> Result<String, String> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        match word {
            "" => Err(format!("{what} was expected before [{rest}]")),
            word => Ok(word.to_owned()),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        self.word("a name", |c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    }

    fn expr(&mut self) -> Result<Expr, String> {
        self.chain(["+", "-"], Self::term)
    }

    fn term(&mut self) -> Result<Expr, String> {
        self.chain(["*", "/"], Self::operand)
    }

    fn chain(
        &mut self,
        operators: [&str; 2],
        operand: fn(&mut Self) -> Result<Expr, String>,
    ) -> Result<Expr, String> {
        let mut left = operand(self)?;
        while operators.into_iter().any(|operator| self.take(operator)) {
            left = Expr::Binary(Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.take("(") {
            let inner = self.expr()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let number = self.word("a number", |c| c.is_ascii_digit() || c == '.')?;
            return number
                .parse()
                .map(Expr::Number)
                .map_err(|error| format!("{number}: {error}"));
        }
        let name = self.name()?;
        if AGGREGATORS.contains(&name.as_str()) {
            self.aggregate(name)
        } else if self.take("(") {
            self.call(name)
        } else {
            self.selector(name)
        }
    }

    fn aggregate(&mut self, operator: String) -> Result<Expr, String> {
        let mut by = BTreeSet::new();
        if self.take("by") {
            self.expect("(")?;
            by = self.list(Self::name)?.into_iter().collect();
        }
        self.expect("(")?;
        let of = Box::new(self.expr()?);
        self.expect(")")?;
        Ok(Expr::Aggregate { operator, by, of })
    }

    fn call(&mut self, function: String) -> Result<Expr, String> {
        let arguments = match self.take(")") {
            true => Vec::new(),
            false => self.list(Self::expr)?,
        };
        Ok(Expr::Call { function, arguments })
    }

    /// Elements up to a closing parenthesis.
    fn list<T>(&mut self, element: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut elements = vec![element(self)?];
        while self.take(",") {
            elements.push(element(self)?);
        }
        self.expect(")")?;
        Ok(elements)
    }

    fn selector(&mut self, name: String) -> Result<Expr, String> {
        let mut matchers = Vec::new();
        if self.take("{") {
            matchers.push(self.matcher()?);
            while self.take(",") {
                matchers.push(self.matcher()?);
            }
            self.expect("}")?;
        }
        let mut range = None;
        if self.take("[") {
            range = Some(self.word("a range", |c| c != ']')?);
            self.expect("]")?;
        }
        Ok(Expr::Selector(Selector {
            name,
            matchers,
            range,
        }))
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let label = self.name()?;
        let operator = ["=~", "!~", "!=", "="]
            .into_iter()
            .find(|operator| self.take(operator))
            .ok_or_else(|| format!("a comparison was expected before [{}]", self.rest))?;
        self.expect("\"")?;
        let (value, rest) = self.rest.split_once('"').ok_or("a string has no end")?;
        if value.contains(['\\', '.', '*', '+', '(']) {
            return Err(format!(
                "only plain texts, variables and alternatives are read, not [{value}]"
            ));
        }
        let value = value.to_owned();
        self.rest = rest;
        Ok(Matcher {
            label,
            operator,
            value,
        })
    }
}
