//! The reference page of all settings, made from their table.

use super::{DEV_KEYS, GROUPS, Group, KEYS, Key};

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table in crates/proxy/src/config/tree.rs. Change that, then run:
     UPDATE_DOCS=1 cargo test -p cloudstate-proxy the_page_is_up_to_date -->

`cloudstate proxy` and `cloudstate dev` read their settings from these places, each over the one before:

1. the defaults below,
2. a TOML file: `--config FILE`, or the variable `CLOUDSTATE_CONFIG`,
3. environment variables,
4. flags.

Every key `a.b_c` is `b_c` in the table `[a]` of the file, the variable `CLOUDSTATE_A_B_C`, and the flag `--a.b-c`.
Some have further names, listed with them. If one place sets a key by two names, both must agree.

* **Unset and empty**: an empty environment variable counts as not set. In the file and in flags, empty text means
  \"none\" where a key may be absent, such as `function.socket`, and is an error elsewhere.
* **Durations** are numbers with a unit, `d`, `h`, `m`, `s`, `ms`, `us` or `ns`, and may be joined: `10s`, `1m30s`.
* **Sizes** are a number with `B`, `KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB` or `TB`; a bare number is bytes.
* **Relative paths** start at the directory in which the command runs.
* An unknown key, flag, or variable beginning with `CLOUDSTATE_` is an error, as is a value that does not fit. All of
  them are reported at once, before any port is opened. Variables beginning with `CLOUDSTATE_TEST_`, and those that
  Kubernetes makes for Services (`CLOUDSTATE_SERVICE_HOST`, …), are left alone.

`cloudstate config` prints the values in force and where each came from.
";

/// The page, as Markdown.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in GROUPS {
        section(&mut page, group);
    }
    page += &format!(
        "\n## Only for `cloudstate dev`\n\nThe file may also hold `{}`; the proxy skips them.\n",
        DEV_KEYS.join("`, `")
    );
    page
}

fn section(page: &mut String, group: &Group) {
    *page += &format!("\n## {}\n\n{}\n", group.name, group.doc.trim());
    for key in KEYS.iter().filter(|key| key.group == group.name) {
        entry(page, key);
    }
}

fn entry(page: &mut String, key: &Key) {
    let default = if key.default.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", key.default)
    };
    let variables: Vec<String> = [key.variable()]
        .into_iter()
        .chain(key.variables.iter().map(ToString::to_string))
        .collect();
    let flags: Vec<String> = [key.flag()]
        .into_iter()
        .chain(key.flags.iter().map(ToString::to_string))
        .collect();
    *page += &format!(
        "\n### `{}`\n\n{}\n\n* Default: {default}\n* Form: {}\n* Variables: `{}`\n* Flags: `--{}`\n",
        key.name,
        key.doc(),
        key.form(),
        variables.join("`, `"),
        flags.join("`, `--"),
    );
}
