//! Settings from environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::load::Setting;
use super::{Error, KEYS, Key, Origin, nearest};

/// Names the configuration file.
pub(super) const FILE_VARIABLE: &str = "CLOUDSTATE_CONFIG";
const PREFIX: &str = "CLOUDSTATE_";
/// Steers our own test programs, which start proxies; not a setting.
const TEST_PREFIX: &str = "CLOUDSTATE_TEST_";

/// The variables of a process, by name.
pub(super) type Environment = BTreeMap<String, OsString>;

/// Reads the settings; an empty variable counts as not set.
pub(super) fn read(environment: &Environment, errors: &mut Vec<Error>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, value) in environment {
        if value.is_empty() || is_service_link(environment, name) {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        match (find(name), value.to_str()) {
            (Some(key), Some(text)) => {
                settings.push(Setting {
                    key,
                    value: text.to_owned(),
                    origin,
                });
            }
            (Some(key), None) => {
                let value = (key.redact)(&value.to_string_lossy());
                errors.push(Error::Value {
                    key: key.name,
                    form: "text in UTF-8".to_owned(),
                    value,
                    at: origin,
                });
            }
            (None, _) if is_ours(name) => errors.push(unknown(name.clone())),
            (None, _) => {}
        }
    }
    settings
}

fn find(name: &str) -> Option<&'static Key> {
    // Only one of ours is worth deriving every key's variable for.
    let derived = name.starts_with(PREFIX);
    KEYS.iter()
        .find(|key| key.variables.contains(&name) || (derived && key.variable() == name))
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX) && name != FILE_VARIABLE
}

fn unknown(name: String) -> Error {
    let known: Vec<String> = KEYS
        .iter()
        .map(Key::variable)
        .chain([FILE_VARIABLE.to_owned()])
        .collect();
    let nearest = nearest(&name, known.iter().map(String::as_str))
        .unwrap_or_default()
        .to_owned();
    Error::Unknown {
        what: "variable",
        at: Origin::Variable(name.clone()),
        name,
        nearest,
    }
}

/// Whether Kubernetes made the variable for a Service of the namespace. A Service named `cloudstate-http` or `http`
/// gives every pod variables such as `HTTP_SERVICE_HOST` and `HTTP_PORT=tcp://10.0.0.1:80`, which nobody meant for us.
fn is_service_link(environment: &Environment, name: &str) -> bool {
    let of_service = |end: usize| environment.contains_key(&format!("{}_SERVICE_HOST", &name[..end]));
    if ["_SERVICE_HOST", "_SERVICE_PORT"]
        .iter()
        .any(|part| name.find(part).is_some_and(of_service))
    {
        return true;
    }
    // `X_PORT` and `X_PORT_80_TCP`, `…_PROTO`, `…_PORT`, `…_ADDR`
    name.match_indices("_PORT").any(|(end, part)| {
        let rest = &name[end + part.len()..];
        let is_address = || {
            environment
                .get(name)
                .and_then(|value| value.to_str())
                .is_some_and(is_link_address)
        };
        let is_numbered = || rest.starts_with('_') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        of_service(end) && (rest.is_empty() && is_address() || is_numbered())
    })
}

fn is_link_address(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
}
