//! Settings from flags.

use super::load::Setting;
use super::{Error, KEYS, Key, Origin, nearest};

/// Turns flags, without their leading `--`, into settings.
pub(super) fn read(flags: &[(String, String)], errors: &mut Vec<Error>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, value) in flags {
        match KEYS
            .iter()
            .find(|key| key.flag() == name.replace('_', "-") || key.flags.contains(&name.as_str()))
        {
            Some(key) => {
                let origin = Origin::Flag(name.clone());
                settings.push(Setting {
                    key,
                    value: value.clone(),
                    origin,
                });
            }
            None => errors.push(unknown(name)),
        }
    }
    settings
}

fn unknown(name: &str) -> Error {
    let known: Vec<String> = KEYS.iter().flat_map(flags_of).collect();
    let nearest = nearest(name, known.iter().map(String::as_str)).unwrap_or_default();
    Error::Unknown {
        what: "flag",
        name: format!("--{name}"),
        at: Origin::Flag(name.to_owned()),
        nearest: format!("--{nearest}"),
    }
}

fn flags_of(key: &Key) -> impl Iterator<Item = String> {
    key.flags.iter().map(ToString::to_string).chain([key.flag()])
}
