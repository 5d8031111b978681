//! The specification in `docs/spec` has the form that programs rely on, and its names are those of the `.proto` files.
//!
//! Where its links lead is checked with those of all documents, by the tests of `cloudstate-cli`.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod names;
mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use names::Names;
use part::{Part, ids_in};

const README: &str = "README.md";

/// The text of every page, by the name of its file.
fn pages() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec");
    let entries = fs::read_dir(directory).expect("the specification");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
        .map(|path| {
            let name = path.file_name().expect("a name").display().to_string();
            (name, fs::read_to_string(path).expect("a readable page"))
        })
        .collect()
}

/// The prefix of each part's ids, by the name of its file, out of the table of parts.
fn prefixes(readme: &str) -> BTreeMap<&str, &str> {
    readme.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| [")?.split(" | ");
    let (_, file) = cells.next()?.split_once("](")?;
    let prefix = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    Some((file.strip_suffix(')')?, prefix))
}

/// What is wrong with the specification, and where.
fn faults(pages: &BTreeMap<String, String>) -> Vec<String> {
    let readme = pages.get(README).expect("a README").as_str();
    let prefixes = prefixes(readme);
    let (_, retired) = readme.split_once("\n## Retired ids\n").unwrap_or_default();
    let retired: BTreeSet<&str> = ids_in(retired).collect();
    let parts: BTreeMap<&str, Part<'_>> = pages
        .iter()
        .map(|(name, text)| (name.as_str(), Part::read(text)))
        .collect();
    let names = Names::of_the_protocol();

    let mut faults = unlisted(&parts, &prefixes);
    let mut ids = BTreeSet::new();
    for (name, part) in &parts {
        let mut found = part.faults(prefixes.get(name).copied().unwrap_or_default());
        for statement in &part.statements {
            if !ids.insert(statement.id.as_str()) {
                found.push((statement.line, format!("[{}] is there twice", statement.id)));
            }
            if retired.contains(statement.id.as_str()) {
                found.push((statement.line, format!("[{}] is retired", statement.id)));
            }
        }
        for (line, code) in &part.code {
            if names.is_unknown(code) {
                found.push((*line, format!("`{code}` is not in the .proto files")));
            }
        }
        faults.extend(
            found
                .iter()
                .map(|(line, fault)| format!("{name}:{line}: {fault}")),
        );
    }
    for (name, part) in &parts {
        for (line, id) in part.references() {
            let is_told_of = *name == README && retired.contains(id);
            if !ids.contains(id) && !is_told_of {
                faults.push(format!("{name}:{line}: there is no statement [{id}]"));
            }
        }
    }
    faults
}

/// Pages that the table of parts does not have, and the other way round.
fn unlisted(parts: &BTreeMap<&str, Part<'_>>, prefixes: &BTreeMap<&str, &str>) -> Vec<String> {
    let pages = parts.keys().filter(|name| **name != README);
    let strangers = pages.filter(|name| !prefixes.contains_key(*name));
    let missing = prefixes.keys().filter(|name| !parts.contains_key(*name));
    let listed = strangers.map(|name| format!("{name} is not in the table of parts"));
    listed
        .chain(missing.map(|name| format!("{name} is not there")))
        .collect()
}

#[test]
fn the_specification_has_the_form_that_it_describes() {
    let pages = pages();
    let statements: usize = pages.values().map(|text| Part::read(text).statements.len()).sum();
    assert!(statements > 400, "only {statements} statements were found");
    let faults = faults(&pages);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_part_belongs_to_a_profile() {
    let pages = pages();
    let conformance = &pages["conformance.md"];
    for prefix in prefixes(&pages[README]).values() {
        let is_named = conformance.contains(&format!("`{prefix}`"));
        assert!(is_named, "no profile has the statements of {prefix}");
    }
}

/// A specification of one part.
fn faults_of(part: &str) -> Vec<String> {
    let readme = "| [Part](part.md) | `XY` | what |\n\n## Retired ids\n\nXY-9\n";
    let pages = [(README, readme), ("part.md", part)];
    faults(
        &pages
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
    )
}

#[test]
fn what_is_right_is_let_pass() {
    let part = "# Part\n\nOf `EventSourcedReply.client_action.reply` and `discover`; see XY-1 and UTF-8.\n\n\
                * **XY-1** With `MAY` as code, and `command_id`, a proxy MUST NOT be\n  confused. It explains.\n\
                * **XY-2** Each side MAY.\n\n```\nMUST\n```\n\n> Note: a note.\n";
    assert_eq!(faults_of(part), Vec::<String>::new());
}

#[test]
fn each_mistake_is_found() {
    for (part, expected) in [
        (
            "* **XY-1** A proxy MUST.\n* **XY-1** A proxy MAY.",
            "part.md:2: [XY-1] is there twice",
        ),
        ("* **XY-9** A proxy MUST.", "[XY-9] is retired"),
        ("* **XY-01** A proxy MUST.", "[XY-01] is no id"),
        ("* **XYZ-1** A proxy MUST.", "[XYZ-1] is no id"),
        ("* **AB-1** A proxy MUST.", "[AB-1] has not the prefix"),
        ("* **XY-1** A proxy does.", "not exactly one keyword"),
        (
            "* **XY-1** A proxy MUST, and\n  a function MAY.",
            "not exactly one keyword",
        ),
        ("* **XY-1** A door MUST.", "before its keyword"),
        ("* **XY-1** A proxy, too, MUST.", "before its keyword"),
        ("* **XY-1** A proxy SHALL.", "not used here"),
        ("A proxy MUST.", "part.md:1: MUST stands outside"),
        (
            "* **XY-1** A proxy MUST.\n\n  A proxy MAY.",
            "part.md:3: MAY stands outside",
        ),
        ("> Note: (SHOULD)", "SHOULD stands outside"),
        ("Nothing is REQUIRED.", "REQUIRED stands outside"),
        ("See XY-7.", "no statement [XY-7]"),
        ("`Command.colour`", "`Command.colour` is not in"),
        ("`Reply.payload.colour`", "`Reply.payload.colour` is not in"),
        ("`Commands`", "`Commands` is not in"),
        ("`cloudstate.Commands`", "`cloudstate.Commands` is not in"),
        ("`command_idea`", "`command_idea` is not in"),
        ("`handleTwice`", "`handleTwice` is not in"),
        ("a `b", "between two single backquotes"),
        ("``a``", "between two single backquotes"),
    ] {
        let found = faults_of(part);
        let is_found = found.len() == 1 && found[0].contains(expected);
        assert!(is_found, "{part:?} has the faults {found:?}");
    }
}

#[test]
fn pages_and_table_agree() {
    let readme = "| [Part](gone.md) | `XY` | what |\n";
    let pages = [(README, readme), ("new.md", "")];
    let found = faults(
        &pages
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
    );
    assert_eq!(
        found,
        ["new.md is not in the table of parts", "gone.md is not there"]
    );
}
