//! Says which field a position in a JSON text belongs to, for error messages.

/// The path of the value that ends at, or contains, the position (line from 1, column in bytes from 1), such as
/// `lines[1].quantity`; empty for the value as a whole. Works on any text: what is no JSON gives some prefix of a path.
pub(crate) fn path_at(text: &[u8], line: usize, column: usize) -> String {
    let line_start: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let end = (line_start + column).min(text.len());
    let mut walk = Walk { steps: Vec::new() };
    let mut position = 0;
    while let Some(byte) = text[..end].get(position) {
        position += match byte {
            b'"' => walk.string(&text[position..end]),
            byte => walk.token(*byte),
        };
    }
    walk.path()
}

enum Step {
    /// In an object: the last key, and whether its value is next.
    Key { name: String, in_value: bool },
    /// In an array: how many elements came before.
    Index(usize),
}

struct Walk {
    steps: Vec<Step>,
}

impl Walk {
    /// Consumes a string, which is a key if one is due. Returns its length.
    fn string(&mut self, text: &[u8]) -> usize {
        let mut length = 1;
        while let Some(byte) = text.get(length) {
            length += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        let length = length.min(text.len());
        if let Some(Step::Key {
            name,
            in_value: false,
        }) = self.steps.last_mut()
        {
            *name = serde_json::from_slice(&text[..length]).unwrap_or_default();
        }
        length
    }

    fn token(&mut self, byte: u8) -> usize {
        match byte {
            b'{' => self.steps.push(Step::Key {
                name: String::new(),
                in_value: false,
            }),
            b'[' => self.steps.push(Step::Index(0)),
            b'}' | b']' => {
                self.steps.pop();
            }
            b':' => {
                if let Some(Step::Key { in_value, .. }) = self.steps.last_mut() {
                    *in_value = true;
                }
            }
            b',' => match self.steps.last_mut() {
                Some(Step::Key { name, in_value }) => (*name, *in_value) = (String::new(), false),
                Some(Step::Index(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
        1
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Key { name, .. } if name.is_empty() => {}
                Step::Key { name, .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_found_in_nested_values() {
        let text = "{\"a\": {\"b\\\"\": [1, {\"c\": true}]},\n \"d\": 2}";
        let at = |needle: &str| {
            let offset = text.find(needle).unwrap() + needle.len();
            let before = &text[..offset];
            let line = before.matches('\n').count() + 1;
            path_at(
                text.as_bytes(),
                line,
                offset - before.rfind('\n').map_or(0, |newline| newline + 1),
            )
        };
        assert_eq!(at("{"), "");
        assert_eq!(at("{\"a\""), "a");
        assert_eq!(at("[1"), "a.b\"[0]");
        assert_eq!(at("true"), "a.b\"[1].c");
        assert_eq!(at("2"), "d");
        assert_eq!(at("2}"), "");
    }

    proptest::proptest! {
        #[test]
        fn any_text_and_position_is_harmless(text in ".*", line in 0usize..5, column in 0usize..50) {
            let _ = path_at(text.as_bytes(), line, column);
        }
    }
}
