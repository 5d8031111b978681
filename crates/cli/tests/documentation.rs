//! The documents of this repository: what they link to exists, and what the tutorial quotes is what `new` makes.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("this repository")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable document")
}

/// README.md and the like: at the top, in each sample, SDK and bench, and everything below docs/.
fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut directories = vec![root.clone(), root.join("bench")];
    for parent in ["samples", "samples/python", "samples/typescript", "sdks"] {
        directories.extend(entries(&root.join(parent)));
    }
    let mut found = Vec::new();
    for directory in directories {
        found.extend(markdown_in(&directory));
    }
    let mut below = vec![root.join("docs")];
    while let Some(directory) = below.pop() {
        found.extend(markdown_in(&directory));
        below.extend(entries(&directory).into_iter().filter(|path| path.is_dir()));
    }
    found
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn markdown_in(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    entries(directory).into_iter().filter(is_markdown)
}

/// The text without code, in which brackets mean something else.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") {
            // Every second piece lies between backquotes.
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a document lead.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let behind = prose.split("](").skip(1);
    behind
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The names under which a document's headings can be linked to.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .replace(' ', "-");
            words
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
                .collect()
        })
        .collect()
}

/// What is wrong with a link in a document, if anything is.
fn broken(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => document.to_owned(),
        path => document.parent().expect("a directory").join(path),
    };
    let is_there = target.exists();
    let is_found =
        is_there && (anchor.is_empty() || anchors(&read(&target)).iter().any(|name| name == anchor));
    (!is_found).then(|| format!("{}: {link}", document.display()))
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = documents();
    let all: Vec<_> = documents
        .iter()
        .flat_map(|document| {
            links(&read(document))
                .into_iter()
                .map(move |link| (document, link))
        })
        .collect();
    assert!(all.len() > 20, "only {} links were found", all.len());
    let broken: Vec<_> = all
        .iter()
        .filter_map(|(document, link)| broken(document, link))
        .collect();
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let readme = root().join("README.md");
    let text = "[a](docs/nothing.md) `[b](c)` [d](ARCHITECTURE.md#rooms) [e](ARCHITECTURE.md#cellars)\n```\n[f](g)\n```\n";
    let broken: Vec<_> = links(text)
        .iter()
        .filter_map(|link| broken(&readme, link))
        .collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].ends_with("docs/nothing.md") && broken[1].ends_with("#cellars"));
}

#[test]
fn the_index_names_every_page() {
    let docs = root().join("docs");
    let index = read(&docs.join("README.md"));
    for page in markdown_in(&docs).chain(markdown_in(&docs.join("reference"))) {
        let name = page
            .strip_prefix(&docs)
            .expect("below docs")
            .display()
            .to_string();
        let is_named = name == "README.md" || index.contains(&format!("({name})"));
        assert!(is_named, "docs/README.md does not link to {name}");
    }
}

/// The lines of the code blocks in these languages, without the ones that are empty or left out.
fn code<'a>(text: &'a str, languages: &[&str]) -> Vec<&'a str> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => is_code = languages.contains(&language),
            None if is_code && !line.trim().is_empty() && line.trim() != "…" => lines.push(line.trim()),
            None => {}
        }
    }
    lines
}

#[test]
fn what_the_tutorial_quotes_of_a_new_project_is_in_it() {
    let tutorial = read(&root().join("docs/tutorial.md"));
    let (beginning, _) = tutorial.split_once("\n## 5.").expect("a fifth step");
    let quoted = code(beginning, &["rust", "proto"]);
    assert!(quoted.len() > 20, "only {} lines were found", quoted.len());

    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let files = ["proto/counter.proto.in", "rust/src/counter.rs.in"];
    let made: String = files.iter().map(|file| read(&templates.join(file))).collect();
    let lines: Vec<_> = made.lines().map(str::trim).collect();
    for line in quoted {
        assert!(lines.contains(&line), "`{line}` is not in a new project");
    }
}
