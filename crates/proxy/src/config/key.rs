//! What is known about a key, and the macro that makes the tree and the list of keys from one table.

use super::tree::Config;
use super::value::Value;

/// A group of keys: the part of the name before the last dot.
#[derive(Debug)]
pub struct Group {
    /// The part before the last dot.
    pub name: &'static str,
    /// What the group is about, one sentence.
    pub doc: &'static str,
}

/// One setting, as all sources see it.
#[derive(Debug)]
pub struct Key {
    /// `group.field`: its place in the file.
    pub name: &'static str,
    /// The part before the last dot.
    pub group: &'static str,
    pub(super) doc: &'static str,
    /// The value when no source sets it, in the form that a user writes; empty for none.
    pub default: &'static str,
    /// Smallest and largest value, both allowed.
    pub range: Option<(&'static str, &'static str)>,
    /// Further environment variables with this meaning.
    pub variables: &'static [&'static str],
    /// Further flags with this meaning.
    pub flags: &'static [&'static str],
    /// One word for the kind of value, as in `--http.port <PORT>`.
    pub kind: &'static str,
    /// Whether the file writes the value without quotes.
    pub bare: bool,
    /// Whether the file may write the value as an array of texts.
    pub list: bool,
    /// Whether the file may write the value as a table of texts.
    pub table: bool,
    pub(super) base_form: &'static str,
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    pub(super) get: fn(&Config) -> String,
    pub(super) redact: fn(&str) -> String,
}

impl Key {
    /// The key with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        super::KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable derived from the name: `http.max_connections` is `CLOUDSTATE_HTTP_MAX_CONNECTIONS`.
    pub fn variable(&self) -> String {
        format!("CLOUDSTATE_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The flag derived from the name, without the leading `--`: `http.max_connections` is `http.max-connections`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// What it means, as one paragraph.
    pub fn doc(&self) -> String {
        let lines: Vec<_> = self
            .doc
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines.join(" ")
    }

    /// The expected form, ready to follow "expected": `a whole number from 1 to 65536`.
    pub fn form(&self) -> String {
        match self.range {
            Some((min, max)) => format!("{} from {min} to {max}", self.base_form),
            None => self.base_form.to_owned(),
        }
    }

    /// The value in a configuration, in the form that a user writes, without passwords.
    pub fn show(&self, config: &Config) -> String {
        (self.redact)(&(self.get)(config))
    }
}

/// Reads a value and holds it against its range.
pub(super) fn parse<T: Value>(text: &str, range: Option<(&str, &str)>) -> Option<T> {
    let value = T::parse(text)?;
    let Some((min, max)) = range else {
        return Some(value);
    };
    (T::parse(min)? <= value && value <= T::parse(max)?).then_some(value)
}

/// Makes the structs, their defaults and `KEYS` from one table.
///
/// A group: `field "name" => Type { rows }`, where the name is what users write. It may have dots: `tls "http.tls" => Tls`.
/// A row: `name: Type = "default" [from "min" to "max"] [env "ALIAS"]… [flag "alias"]…;`
macro_rules! settings {
    ($(
        $(#[doc = $group_doc:literal])*
        $group:ident $path:literal => $Group:ident {$(
            $(#[doc = $doc:literal])*
            $field:ident : $ty:ty = $default:literal
                $(from $min:literal to $max:literal)?
                $(env $variable:literal)*
                $(flag $flag:literal)*;
        )*}
    )*) => {
        /// All settings of the proxy. [`Default`] holds the defaults; `load` fills it from the user's sources.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {$(
            $(#[doc = $group_doc])*
            pub $group: $Group,
        )*}

        $(
            $(#[doc = $group_doc])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Group {$(
                $(#[doc = $doc])*
                pub $field: $ty,
            )*}
        )*

        impl Default for Config {
            fn default() -> Self {
                Self {$( $group: $Group {$( $field: default_value($default), )*}, )*}
            }
        }

        /// The groups, in the order of the reference page.
        pub static GROUPS: &[Group] = &[$(
            Group { name: $path, doc: concat!($($group_doc),*) },
        )*];

        /// Every key, in the order of the reference page.
        pub static KEYS: &[Key] = &[$($(
            Key {
                name: concat!($path, ".", stringify!($field)),
                group: $path,
                doc: concat!($($doc, "\n"),*),
                default: $default,
                range: settings!(@range $($min $max)?),
                variables: &[$($variable),*],
                flags: &[$($flag),*],
                kind: <$ty as Value>::KIND,
                bare: <$ty as Value>::BARE,
                list: <$ty as Value>::LIST,
                table: <$ty as Value>::TABLE,
                base_form: <$ty as Value>::FORM,
                set: |config, text| {
                    config.$group.$field = parse(text, settings!(@range $($min $max)?))?;
                    Some(())
                },
                get: |config| config.$group.$field.show(),
                redact: <$ty as Value>::redact,
            },
        )*)*];
    };
    (@range) => { None };
    (@range $min:literal $max:literal) => { Some(($min, $max)) };
}

pub(super) use settings;
