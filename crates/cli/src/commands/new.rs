//! `cloudstate new`: the beginning of a function.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::exit::{Exit, Failure};

/// Make a project that `cloudstate dev` runs
///
/// The project is a small event sourced service with its `.proto` files, in a new directory NAME.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The language to write the function in
    #[arg(long, value_enum)]
    lang: Language,
    /// Name of the project and its directory: lower-case letters, digits, `-` and `_`
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// A checkout of Cloudstate whose SDK the project uses; default: the one that this program or the current directory
    /// lies in
    #[arg(long, value_name = "DIR")]
    sdk_path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    Rust,
    Python,
    #[value(name = "typescript")]
    TypeScript,
}

impl Language {
    fn template(self) -> Template {
        match self {
            Self::Rust => RUST,
            Self::Python => PYTHON,
            Self::TypeScript => TYPESCRIPT,
        }
    }
}

/// Paths and texts of a project. `{{name}}`, `{{package}}`, `{{crates}}` and `{{sdks}}` are filled in.
type Template = &'static [(&'static str, &'static str)];

const COUNTER_PROTO: (&str, &str) = (
    "proto/counter.proto",
    include_str!("../../templates/proto/counter.proto.in"),
);
const EVENTS_PROTO: (&str, &str) = (
    "proto/events.proto",
    include_str!("../../templates/proto/events.proto.in"),
);

const RUST: Template = &[
    ("Cargo.toml", include_str!("../../templates/rust/Cargo.toml.in")),
    ("build.rs", include_str!("../../templates/rust/build.rs.in")),
    COUNTER_PROTO,
    EVENTS_PROTO,
    ("src/main.rs", include_str!("../../templates/rust/src/main.rs.in")),
    (
        "src/counter.rs",
        include_str!("../../templates/rust/src/counter.rs.in"),
    ),
    ("README.md", include_str!("../../templates/rust/README.md.in")),
    (".gitignore", include_str!("../../templates/rust/gitignore.in")),
];

const PYTHON: Template = &[
    (
        "pyproject.toml",
        include_str!("../../templates/python/pyproject.toml.in"),
    ),
    (
        "requirements.txt",
        include_str!("../../templates/python/requirements.txt.in"),
    ),
    (
        "cloudstate.toml",
        include_str!("../../templates/python/cloudstate.toml.in"),
    ),
    COUNTER_PROTO,
    EVENTS_PROTO,
    (
        "counter/__init__.py",
        include_str!("../../templates/python/counter/init.py.in"),
    ),
    (
        "counter/__main__.py",
        include_str!("../../templates/python/counter/main.py.in"),
    ),
    (
        "counter/entity.py",
        include_str!("../../templates/python/counter/entity.py.in"),
    ),
    (
        "tests/test_counter.py",
        include_str!("../../templates/python/tests/test_counter.py.in"),
    ),
    ("README.md", include_str!("../../templates/python/README.md.in")),
    (".gitignore", include_str!("../../templates/python/gitignore.in")),
];

const TYPESCRIPT: Template = &[
    (
        "package.json",
        include_str!("../../templates/typescript/package.json.in"),
    ),
    (".npmrc", include_str!("../../templates/typescript/npmrc.in")),
    (
        "tsconfig.json",
        include_str!("../../templates/typescript/tsconfig.json.in"),
    ),
    (
        "cloudstate.toml",
        include_str!("../../templates/typescript/cloudstate.toml.in"),
    ),
    COUNTER_PROTO,
    EVENTS_PROTO,
    (
        "src/main.ts",
        include_str!("../../templates/typescript/src/main.ts.in"),
    ),
    (
        "src/counter.ts",
        include_str!("../../templates/typescript/src/counter.ts.in"),
    ),
    (
        "src/counter.test.ts",
        include_str!("../../templates/typescript/src/counter.test.ts.in"),
    ),
    (
        "README.md",
        include_str!("../../templates/typescript/README.md.in"),
    ),
    (
        ".gitignore",
        include_str!("../../templates/typescript/gitignore.in"),
    ),
];

/// Words that neither a Rust crate nor a module may be called, or that the template itself uses.
const RESERVED: &str = "abstract as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv proto pub ref return self static \
    std struct super test trait true try type typeof unsafe unsized use virtual where while yield";

fn name(text: &str) -> Result<String, String> {
    let well_formed = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if !well_formed {
        return Err("expected a lower-case letter, followed by such letters, digits, `-` or `_`".to_owned());
    }
    if RESERVED.split_whitespace().any(|word| word == text) {
        return Err("this word has a meaning in Rust; choose another name".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, sdk_path, lang } = arguments;
    let checkout = match sdk_path {
        Some(path) => given(path)?,
        None => found().ok_or_else(not_found)?,
    };
    let directory = Path::new(name);
    if directory.exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{name}` exists already; choose another name"),
        ));
    }
    let fill = |text: &str| {
        let within = |directory| checkout.join(directory).display().to_string();
        text.replace("{{name}}", name)
            .replace("{{package}}", &name.replace('-', "_"))
            .replace("{{crates}}", &within("crates"))
            .replace("{{sdks}}", &within("sdks"))
    };
    for (path, text) in lang.template() {
        let path = directory.join(path);
        write(&path, &fill(text)).map_err(|error| {
            Failure::new(Exit::Failure, format!("cannot write {}: {error}", path.display()))
        })?;
    }
    crate::output::print(&format!("Made {name}. Try:\n\n  cloudstate dev {name}\n\n"))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

/// The checkout that the user named.
fn given(path: &Path) -> Result<PathBuf, Failure> {
    let missing = || {
        let text = format!(
            "--sdk-path: {} is not a checkout of Cloudstate: it has no crates/sdk",
            path.display()
        );
        Failure::new(Exit::Usage, text)
    };
    if is_checkout(path) {
        path.canonicalize().map_err(|_| missing())
    } else {
        Err(missing())
    }
}

/// The checkout that this program was built in, or that the user is in.
fn found() -> Option<PathBuf> {
    let program = env::current_exe().and_then(fs::canonicalize);
    let starts = [program, env::current_dir()];
    starts.iter().flatten().find_map(|start| {
        start
            .ancestors()
            .find(|path| is_checkout(path))
            .map(PathBuf::from)
    })
}

fn is_checkout(path: &Path) -> bool {
    path.join("crates/sdk/Cargo.toml").is_file()
}

fn not_found() -> Failure {
    let text = "the SDK is used from a checkout of Cloudstate, and neither this program nor the current directory \
                lies in one; name it with --sdk-path DIR";
    Failure::new(Exit::Usage, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_those_of_crates_and_packages() {
        for text in ["cart", "my-cart", "c2_x"] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        for text in ["", "Cart", "2c", "-c", "a/b", "../x", "a b", "self", "async"] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
