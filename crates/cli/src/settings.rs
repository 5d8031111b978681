//! The proxy's settings as flags, made from their table.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use cloudstate_proxy::config::{self, GROUPS, KEYS, Key, Loaded, Preset, Sources};

use crate::exit::{Exit, Failure};

const FILE: &str = "config";

/// The flags that a user gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingArguments {
    file: Option<PathBuf>,
    flags: Vec<(String, String)>,
}

impl SettingArguments {
    /// Reads these, the environment, and the file that they name or else `default_file`.
    pub(crate) fn load(
        &self,
        presets: Vec<Preset>,
        default_file: Option<PathBuf>,
    ) -> Result<Loaded, Failure> {
        let sources = Sources {
            presets,
            file: self.file.clone(),
            default_file,
            environment: std::env::vars_os().collect(),
            flags: self.flags.clone(),
        };
        config::load(&sources).map_err(|errors| Failure::new(Exit::Usage, errors))
    }
}

impl clap::Args for SettingArguments {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("TOML file with settings; flags and variables win over it [env: CLOUDSTATE_CONFIG]");
        KEYS.iter().flat_map(flags).fold(command.arg(file), Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self {
            file: matches.get_one::<PathBuf>(FILE).cloned(),
            flags: Vec::new(),
        };
        for name in KEYS.iter().flat_map(names) {
            if let Some(value) = matches.get_one::<String>(&name) {
                arguments.flags.push((name, value.clone()));
            }
        }
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn names(key: &Key) -> impl Iterator<Item = String> {
    key.flags.iter().map(ToString::to_string).chain([key.flag()])
}

/// The flags of a key: one under each of its names.
fn flags(key: &'static Key) -> impl Iterator<Item = Arg> {
    names(key).map(|name| {
        let mut flag = Arg::new(name.clone())
            .value_name(key.kind)
            .help_heading(heading(key))
            .help(help(key, &name));
        if name == key.flag() && name != key.name {
            flag = flag.alias(key.name);
        }
        flag.long(name)
    })
}

fn heading(key: &Key) -> String {
    let doc = GROUPS
        .iter()
        .find(|group| group.name == key.group)
        .map(|group| group.doc.trim().trim_end_matches('.'));
    format!("Settings of [{}]: {}", key.group, doc.unwrap_or_default())
}

fn help(key: &Key, name: &str) -> String {
    if name != key.flag() {
        return format!("Short for --{}", key.flag());
    }
    let variables: Vec<String> = [key.variable()]
        .into_iter()
        .chain(key.variables.iter().map(ToString::to_string))
        .collect();
    let default = if key.default.is_empty() {
        "none"
    } else {
        key.default
    };
    format!(
        "{} [default: {default}] [env: {}]",
        key.doc().trim_end_matches('.'),
        variables.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    fn parse(arguments: &[&str]) -> SettingArguments {
        let command = SettingArguments::augment_args(Command::new("proxy"));
        let matches = command
            .try_get_matches_from([&["proxy"], arguments].concat())
            .expect("well-formed");
        SettingArguments::from_arg_matches(&matches).expect("the same flags")
    }

    #[test]
    fn every_key_is_a_flag_under_each_of_its_names() {
        let arguments = parse(&["--store", "memory:", "--http.port=1", "--entity.max_active", "2"]);
        assert_eq!(
            arguments.flags,
            [
                ("http.port", "1"),
                ("store", "memory:"),
                ("entity.max-active", "2")
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_file_may_be_named() {
        assert_eq!(parse(&["--config", "c.toml"]).file, Some(PathBuf::from("c.toml")));
    }
}
