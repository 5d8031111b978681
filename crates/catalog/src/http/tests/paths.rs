//! The look-up held to a definition of matching that is written for clarity.

use proptest::prelude::*;

use crate::http::{PathMatch, PathTable, PathTemplate};

/// A segment of a template, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'t> {
    Literal(&'t str),
    One,
    Rest,
}

/// A template without variables, taken apart by its text.
fn parts(template: &str) -> (Vec<Part<'_>>, Option<&str>) {
    let (path, verb) = match template.split_once(':') {
        Some((path, verb)) => (path, Some(verb)),
        None => (template, None),
    };
    let part = |text| match text {
        "*" => Part::One,
        "**" => Part::Rest,
        text => Part::Literal(text),
    };
    (path[1..].split('/').map(part).collect(), verb)
}

fn matches(parts: &[Part<'_>], segments: &[&str]) -> bool {
    match (parts, segments) {
        ([], []) | ([Part::Rest], _) => true,
        ([Part::Literal(text), parts @ ..], [segment, segments @ ..]) => {
            text == segment && matches(parts, segments)
        }
        ([Part::One, parts @ ..], [_, segments @ ..]) => matches(parts, segments),
        _ => false,
    }
}

/// The indices of the templates that match, the first to take first.
fn expected(templates: &[String], path: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for (index, template) in templates.iter().enumerate() {
        let (parts, verb) = parts(template);
        let path = match verb {
            None => Some(path),
            Some(verb) => path
                .rsplit_once(':')
                .and_then(|(before, after)| (after == verb).then_some(before)),
        };
        let Some(path) = path else { continue };
        if matches(&parts, &path[1..].split('/').collect::<Vec<_>>()) {
            // Templates of the same paths are offered in the order of their definition.
            found.push((verb.is_none(), parts, index));
        }
    }
    found.sort_by(|one, other| (one.0, &one.1, one.2).cmp(&(other.0, &other.1, other.2)));
    found.into_iter().map(|(_, _, index)| index).collect()
}

fn table(templates: &[String]) -> PathTable {
    PathTable::new(
        templates
            .iter()
            .map(|text| PathTemplate::parse(text).unwrap())
            .collect(),
    )
}

/// All that is offered for a path, in order.
fn offered(table: &PathTable, path: &str) -> Vec<usize> {
    let mut offered = Vec::new();
    let found = table.find(path, |alike| {
        offered.extend_from_slice(alike);
        None
    });
    assert_eq!(found, Ok(None));
    offered
}

fn template() -> impl Strategy<Value = String> {
    ("(/(a|b|\\*)){0,3}", "(/a|/b|/\\*|/\\*\\*)(:a|:b)?").prop_map(|(start, end)| start + &end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn templates_are_offered_by_precedence(
        templates in proptest::collection::vec(template(), 1..8),
        path in "(/(a|b|c|)){1,4}(:a|:b|:c)?",
    ) {
        prop_assert_eq!(offered(&table(&templates), &path), expected(&templates, &path));
    }

    #[test]
    fn any_path_is_answered(templates in proptest::collection::vec(template(), 0..4), path in ".{0,24}") {
        let found = table(&templates).find(&path, |alike| alike.last().copied());
        if let Ok(Some(PathMatch { template, .. })) = found {
            prop_assert!(template < templates.len());
        }
    }

    #[test]
    fn what_a_client_expands_is_captured_as_the_client_meant_it(
        one in "[a-z:/ü%+ ]{0,6}",
        several in proptest::collection::vec("[a-z:ü+ ]{0,4}", 0..4),
    ) {
        let table = table(&["/{one}/x/{several=**}".to_owned()]);
        let rest: String = several.iter().map(|segment| format!("/{}", encode(segment))).collect();
        let found = table.find(&format!("/{}/x{rest}", encode(&one)), |alike| alike.first().copied());
        prop_assert_eq!(found.unwrap().unwrap().variables, [one, several.join("/")]);
    }
}

/// Encodes all but the characters that clients leave as they are.
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn a_path_of_very_many_segments_is_answered() {
    let table = table(&["/{a=**}".to_owned(), "/a/{b}".to_owned()]);
    let path = "/a".repeat(100_000);
    let found = table
        .find(&path, |alike| alike.first().copied())
        .unwrap()
        .unwrap();
    assert_eq!(found.variables, [&path[1..]]);
}
