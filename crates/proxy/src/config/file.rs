//! Settings from a TOML file.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::load::Setting;
use super::{Error, KEYS, Key, Origin, nearest};

/// Keys of the file that belong to `cloudstate dev`: the proxy accepts and skips them.
pub const DEV_KEYS: [&str; 4] = [
    "function.build",
    "function.run",
    "function.watch",
    "function.static",
];

/// Reads the settings of a file; `at` is who named it.
pub(super) fn read(path: &Path, at: &Origin, errors: &mut Vec<Error>) -> Vec<Setting> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text, errors),
        Err(source) => {
            errors.push(Error::Read {
                path: path.to_owned(),
                at: at.clone(),
                source,
            });
            Vec::new()
        }
    }
}

fn parse(path: &Path, text: &str, errors: &mut Vec<Error>) -> Vec<Setting> {
    let mut reader = Reader {
        path,
        text,
        errors,
        settings: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(document) => reader.table("", document.get_ref()),
        Err(error) => {
            let at = reader.origin(error.span().unwrap_or(0..0));
            reader.errors.push(Error::Syntax {
                at,
                message: error.message().to_owned(),
            });
        }
    }
    reader.settings
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    errors: &'a mut Vec<Error>,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let line = 1 + self
            .text
            .bytes()
            .take(span.start)
            .filter(|byte| *byte == b'\n')
            .count();
        Origin::File {
            path: PathBuf::from(self.path),
            line,
        }
    }

    /// Reads a table and those in it; `prefix` is its name with a dot at the end.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name_in_full = format!("{prefix}{}", name.get_ref());
            match (Key::find(&name_in_full), value.get_ref()) {
                (Some(key), found) => self.setting(key, found, self.origin(value.span())),
                (None, _) if DEV_KEYS.contains(&name_in_full.as_str()) => {}
                (None, found @ DeValue::String(_)) if let Some(key) = mode_of(&name_in_full) => {
                    self.setting(key, found, self.origin(value.span()));
                }
                (None, DeValue::Table(inner)) if is_group(&name_in_full) => {
                    self.table(&format!("{name_in_full}."), inner);
                }
                (None, _) => self.unknown(name_in_full, self.origin(name.span())),
            }
        }
    }

    fn setting(&mut self, key: &'static Key, found: &DeValue<'_>, origin: Origin) {
        let text = match found {
            DeValue::String(text) => Ok(text.to_string()),
            // The digits as written: signs, bases and `_` are for the value's own form to judge.
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
            DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
            DeValue::Boolean(value) => Ok(value.to_string()),
            DeValue::Array(items) if key.list => joined(items, ','),
            DeValue::Table(entries) if key.table => table(entries),
            other => Err(format!("a TOML {}", other.type_str())),
        };
        match text {
            Ok(value) => self.settings.push(Setting { key, value, origin }),
            Err(value) => {
                self.errors.push(Error::Value {
                    key: key.name,
                    form: key.form(),
                    value,
                    at: origin,
                });
            }
        }
    }

    fn unknown(&mut self, name: String, at: Origin) {
        let known = KEYS.iter().map(|key| key.name).chain(DEV_KEYS);
        let nearest = nearest(&name, known).unwrap_or_default().to_owned();
        self.errors.push(Error::Unknown {
            what: "key",
            name,
            at,
            nearest,
        });
    }
}

/// The items as a list is written elsewhere. An item that would become two there is refused.
fn joined(items: &DeArray<'_>, separator: char) -> Result<String, String> {
    let item = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
        DeValue::String(text) if !text.contains(separator) => Ok(text.to_string()),
        DeValue::String(text) => Err(format!("the item \"{text}\", which holds `{separator}`")),
        other => Err(format!("a TOML {} in the array", other.type_str())),
    };
    let items: Vec<_> = items.iter().map(item).collect::<Result<_, _>>()?;
    Ok(items.join(&separator.to_string()))
}

/// The entries as a table is written elsewhere.
fn table(entries: &DeTable<'_>) -> Result<String, String> {
    let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let key = key.get_ref();
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Array(items) => joined(items, '|')?,
            other => return Err(format!("a TOML {} for \"{key}\"", other.type_str())),
        };
        match [key.as_ref(), &text].iter().find(|text| text.contains(';')) {
            None => Ok(format!("{key} = {text}")),
            Some(text) => Err(format!("\"{text}\", which holds `;`")),
        }
    };
    Ok(entries
        .iter()
        .map(entry)
        .collect::<Result<Vec<_>, _>>()?
        .join("; "))
}

/// A group with a mode may be written as a text: `cluster.tls = "off"`.
fn mode_of(group: &str) -> Option<&'static Key> {
    is_group(group).then(|| Key::find(&format!("{group}.mode")))?
}

fn is_group(name: &str) -> bool {
    super::GROUPS.iter().any(|group| group.name == name)
}
