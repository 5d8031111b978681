//! Reads a page of the specification by the form that its README describes.

/// The words that make a sentence normative, each alone or followed by `NOT`.
const KEYWORDS: [&str; 3] = ["MUST", "SHOULD", "MAY"];
/// Other words of RFC 2119, which the specification does without.
const UNUSED_KEYWORDS: [&str; 4] = ["SHALL", "REQUIRED", "RECOMMENDED", "OPTIONAL"];
/// Whom a statement may be about.
const SUBJECTS: [&str; 4] = ["proxy", "function", "side", "author"];

/// A page of the specification.
#[derive(Default)]
pub(crate) struct Part<'t> {
    pub(crate) statements: Vec<Statement>,
    /// Line and prose of what is no statement.
    pub(crate) rest: Vec<(usize, String)>,
    /// Line and text of each piece of code, other than code blocks.
    pub(crate) code: Vec<(usize, &'t str)>,
    /// What cannot be read, by line.
    unreadable: Vec<(usize, String)>,
}

/// A normative sentence with its id, and what explains it.
pub(crate) struct Statement {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) id: String,
    /// With a backquote in place of each piece of code.
    pub(crate) prose: String,
}

struct Keyword<'t> {
    word: &'static str,
    before: &'t str,
}

impl<'t> Part<'t> {
    pub(crate) fn read(text: &'t str) -> Self {
        let mut part = Part::default();
        let (mut is_code, mut in_statement) = (false, false);
        for (index, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                is_code = !is_code;
                in_statement = false;
            } else if !is_code {
                in_statement = part.take(index + 1, line, in_statement);
            }
        }
        part
    }

    /// Takes a line outside of code blocks. Says whether the next one may go on with a statement.
    fn take(&mut self, number: usize, line: &'t str, in_statement: bool) -> bool {
        let pieces: Vec<&'t str> = line.split('`').collect();
        let code: Vec<&'t str> = pieces.iter().copied().skip(1).step_by(2).collect();
        if pieces.len().is_multiple_of(2) || code.contains(&"") {
            let text = "code has to stand between two single backquotes on one line";
            self.unreadable.push((number, text.to_owned()));
        }
        self.code.extend(code.into_iter().map(|code| (number, code)));
        let prose = pieces.into_iter().step_by(2).collect::<Vec<_>>().join("`");
        if let Some(item) = prose.strip_prefix("* **") {
            let (id, prose) = item.split_once("** ").unwrap_or((item, ""));
            self.statements.push(Statement {
                line: number,
                id: id.to_owned(),
                prose: prose.to_owned(),
            });
            return true;
        }
        if in_statement
            && prose.starts_with("  ")
            && let Some(statement) = self.statements.last_mut()
        {
            statement.prose.push_str(&prose[1..]);
            return true;
        }
        self.rest.push((number, prose));
        false
    }

    /// What is wrong with its form, by line, if its statements have this prefix.
    pub(crate) fn faults(&self, prefix: &str) -> Vec<(usize, String)> {
        let mut faults = self.unreadable.clone();
        let statements = self.statements.iter();
        faults.extend(statements.filter_map(|statement| statement.fault(prefix)));
        for (line, prose) in &self.rest {
            for keyword in keywords(prose) {
                faults.push((*line, format!("{} stands outside of a statement", keyword.word)));
            }
        }
        faults
    }

    /// The ids that its prose mentions, by line.
    pub(crate) fn references(&self) -> Vec<(usize, &str)> {
        let statements = self.statements.iter();
        let statements = statements.map(|statement| (statement.line, statement.prose.as_str()));
        let rest = self.rest.iter().map(|(line, prose)| (*line, prose.as_str()));
        let mut found = Vec::new();
        for (line, prose) in statements.chain(rest) {
            found.extend(ids_in(prose).map(|id| (line, id)));
        }
        found
    }
}

impl Statement {
    fn fault(&self, prefix: &str) -> Option<(usize, String)> {
        let keywords = keywords(&self.prose);
        let fault = if !is_id(&self.id) {
            "is no id"
        } else if prefix.is_empty() || !self.id.starts_with(prefix) {
            "has not the prefix of this part"
        } else {
            match keywords.as_slice() {
                [only] if !KEYWORDS.contains(&only.word) => "has a keyword that is not used here",
                [only] if only.has_subject() => return None,
                [_] => "has no proxy, function, side or author before its keyword",
                _ => "has not exactly one keyword",
            }
        };
        Some((self.line, format!("[{}] {fault}", self.id)))
    }
}

impl Keyword<'_> {
    /// Whether the word before it says whom the statement is about.
    fn has_subject(&self) -> bool {
        let before = self.before.strip_suffix(' ').unwrap_or_default();
        let subject = before.rsplit(' ').next().unwrap_or_default();
        SUBJECTS.contains(&subject)
    }
}

/// The words of RFC 2119 in a text, with what stands before each.
fn keywords(prose: &str) -> Vec<Keyword<'_>> {
    let mut found = Vec::new();
    for word in KEYWORDS.into_iter().chain(UNUSED_KEYWORDS) {
        for (at, _) in prose.match_indices(word) {
            let (before, behind) = (&prose[..at], &prose[at + word.len()..]);
            if !before.ends_with(char::is_alphanumeric) && !behind.starts_with(char::is_alphanumeric) {
                found.push(Keyword { word, before });
            }
        }
    }
    found
}

/// The ids that a text mentions.
pub(crate) fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| is_id(word))
}

/// Two capital letters and a number, such as `ES-12`.
fn is_id(text: &str) -> bool {
    let Some((prefix, number)) = text.split_once('-') else {
        return false;
    };
    let is_prefix = prefix.len() == 2 && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_prefix && is_number && !number.starts_with('0')
}
