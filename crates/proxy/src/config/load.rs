//! Lays the sources over one another, the later over the earlier, and keeps account of who set what.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::{Config, Error, Errors, KEYS, Key, Origin, combine, environment, file, flags};

/// What a user and our own command line wrote, before it is read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Values that a command sets in place of defaults.
    pub presets: Vec<Preset>,
    /// The file, if named by flag; else `CLOUDSTATE_CONFIG` may name it.
    pub file: Option<PathBuf>,
    /// The file to read when none is named.
    pub default_file: Option<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags without their leading `--`, with their values.
    pub flags: Vec<(String, String)>,
}

/// A value that a command sets in place of a default.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The key.
    pub key: &'static str,
    /// In the form that a user writes.
    pub value: String,
    /// The command, as shown to the user: "`cloudstate dev`".
    pub by: &'static str,
}

/// A checked configuration, with the place of each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Where the value of a key came from.
    pub fn origin(&self, key: &Key) -> Origin {
        self.origins.get(key.name).cloned().unwrap_or(Origin::Default)
    }

    /// Whether a user set it, in whatever source.
    pub fn is_explicit(&self, key: &Key) -> bool {
        !matches!(self.origin(key), Origin::Default | Origin::Preset(_))
    }
}

/// A value as written by a user.
pub(super) struct Setting {
    pub(super) key: &'static Key,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Reads all sources: presets, file, environment, flags, each over the one before.
///
/// # Errors
/// Every problem found, not only the first: also values that a later source replaces must be well-formed.
pub fn load(sources: &Sources) -> Result<Loaded, Errors> {
    let environment: environment::Environment = sources
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.clone())))
        .collect();
    let mut loader = Loader {
        loaded: Loaded {
            config: Config::default(),
            origins: BTreeMap::new(),
        },
        errors: Vec::new(),
    };
    loader.layer(presets(&sources.presets));
    if let Some((path, at)) = file_of(sources, &environment) {
        let settings = file::read(&path, &at, &mut loader.errors);
        loader.layer(settings);
    }
    let settings = environment::read(&environment, &mut loader.errors);
    loader.layer(settings);
    let settings = flags::read(&sources.flags, &mut loader.errors);
    loader.layer(settings);
    loader.finish()
}

fn file_of(sources: &Sources, environment: &environment::Environment) -> Option<(PathBuf, Origin)> {
    let by_flag = || {
        sources
            .file
            .clone()
            .map(|path| (path, Origin::Flag("config".to_owned())))
    };
    let by_variable = || {
        let name = environment::FILE_VARIABLE;
        let path = environment.get(name).filter(|path| !path.is_empty())?;
        Some((path.into(), Origin::Variable(name.to_owned())))
    };
    let by_default = || sources.default_file.clone().map(|path| (path, Origin::Default));
    by_flag().or_else(by_variable).or_else(by_default)
}

fn presets(presets: &[Preset]) -> Vec<Setting> {
    let setting = |preset: &Preset| {
        let key = KEYS.iter().find(|key| key.name == preset.key)?;
        Some(Setting {
            key,
            value: preset.value.clone(),
            origin: Origin::Preset(preset.by),
        })
    };
    presets.iter().filter_map(setting).collect()
}

struct Loader {
    loaded: Loaded,
    errors: Vec<Error>,
}

impl Loader {
    /// Lays one source over what is there.
    fn layer(&mut self, settings: Vec<Setting>) {
        let mut own: BTreeMap<&'static str, (String, (String, Origin))> = BTreeMap::new();
        for Setting { key, value, origin } in settings {
            if (key.set)(&mut self.loaded.config, value.trim()).is_none() {
                let value = (key.redact)(&value);
                self.errors.push(Error::Value {
                    key: key.name,
                    form: key.form(),
                    value,
                    at: origin,
                });
                continue;
            }
            // Compared as read, so that `60s` and `1m` agree, and with the secrets that are not shown.
            let (read, second) = (
                (key.get)(&self.loaded.config),
                (key.show(&self.loaded.config), origin.clone()),
            );
            self.loaded.origins.insert(key.name, origin);
            match own.insert(key.name, (read.clone(), second.clone())) {
                Some((read_first, first)) if read_first != read => {
                    self.errors.push(Error::Twice {
                        key: key.name,
                        first,
                        second,
                    });
                }
                _ => {}
            }
        }
    }

    fn finish(mut self) -> Result<Loaded, Errors> {
        // Values that are wrong by themselves would only give follow-up errors here.
        if self.errors.is_empty() {
            combine::check(&self.loaded, &mut self.errors);
        }
        if self.errors.is_empty() {
            Ok(self.loaded)
        } else {
            Err(Errors(self.errors))
        }
    }
}
