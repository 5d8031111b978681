//! `cloudstate config`: the settings in force.

use std::fmt::Write as _;

use cloudstate_proxy::config::{GROUPS, KEYS, Key, Loaded, Origin};
use serde_json::json;

use crate::exit::Failure;
use crate::settings::SettingArguments;

/// Print the settings in force and where each came from
///
/// The output can be kept as a configuration file: what nobody set is a comment in it. Passwords are hidden.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Leave out what nobody set
    #[arg(long)]
    changed: bool,
    #[command(flatten)]
    settings: SettingArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = arguments.settings.load(Vec::new(), None)?;
    let shown: Vec<&Key> = KEYS
        .iter()
        .filter(|key| !arguments.changed || loaded.origin(key) != Origin::Default)
        .collect();
    let text = if arguments.json {
        lines(&loaded, &shown)
    } else {
        toml(&loaded, &shown)
    };
    crate::output::print(&text)
}

fn lines(loaded: &Loaded, keys: &[&Key]) -> String {
    let line = |key: &&Key| {
        let value = key.show(&loaded.config);
        format!(
            "{}\n",
            json!({"key": key.name, "value": value, "origin": loaded.origin(key).to_string()})
        )
    };
    keys.iter().map(line).collect()
}

fn toml(loaded: &Loaded, keys: &[&Key]) -> String {
    let mut text = String::new();
    for group in GROUPS {
        let lines: Vec<(String, Origin)> = keys
            .iter()
            .filter(|key| key.group == group.name)
            .map(|key| (setting(loaded, key), loaded.origin(key)))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let width = lines
            .iter()
            .map(|(line, _)| line.chars().count())
            .max()
            .unwrap_or(0);
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "{}[{}]",
            if text.is_empty() { "" } else { "\n" },
            group.name
        );
        for (line, origin) in lines {
            let _ = writeln!(text, "{line:width$}  # {origin}");
        }
    }
    text
}

/// The line of a file that sets this value; a comment where nobody set it, so that a kept file does not pin defaults.
fn setting(loaded: &Loaded, key: &Key) -> String {
    let name = key.name.rsplit_once('.').map_or(key.name, |(_, name)| name);
    let value = key.show(&loaded.config);
    let mark = if loaded.origin(key) == Origin::Default {
        "# "
    } else {
        ""
    };
    match (value.as_str(), key.bare) {
        ("", true) if mark.is_empty() => format!("{name} = \"\""),
        ("", _) if !mark.is_empty() => format!("# {name} = none"),
        (value, true) => format!("{mark}{name} = {value}"),
        // The escapes of JSON text are escapes of TOML text.
        (value, false) => format!("{mark}{name} = {}", json!(value)),
    }
}
