//! Which bindings match a path, one after the other, without a table.

use cloudstate_catalog::Catalog;
use cloudstate_catalog::http::{HttpBinding, PathTemplate, Segment};

/// A binding and the values of its variables.
pub(super) type Match<'c> = (&'c HttpBinding, Vec<String>);

/// The bindings whose templates match, in any order; `None` if the path is not correctly encoded.
pub(super) fn matches<'c>(catalog: &'c Catalog, path: &str) -> Option<Vec<Match<'c>>> {
    // What is no path matches nothing, however it is encoded.
    let Some(encoded) = path.strip_prefix('/') else {
        return Some(Vec::new());
    };
    let segments: Vec<&str> = encoded.split('/').collect();
    for segment in &segments {
        decode(segment, false)?;
    }
    let last = segments.last().copied().unwrap_or_default();
    let mut found = with_verb(catalog, cut(&segments, last.rfind(':'), 1));
    found.extend(of_all(catalog, &segments, None));
    if found.is_empty() {
        let colon = last.to_ascii_uppercase().rfind("%3A");
        found = with_verb(catalog, cut(&segments, colon, 3));
    }
    Some(found)
}

/// The segments with the last one cut at a colon, and the verb behind it.
type Cut<'p> = (Vec<&'p str>, String);

fn cut<'p>(segments: &[&'p str], colon: Option<usize>, length: usize) -> Option<Cut<'p>> {
    let (last, before) = segments.split_last()?;
    let colon = colon?;
    let segments = [before, &[&last[..colon]]].concat();
    Some((segments, decode(&last[colon + length..], false)?))
}

fn with_verb<'c>(catalog: &'c Catalog, cut: Option<Cut<'_>>) -> Vec<Match<'c>> {
    cut.map_or_else(Vec::new, |(segments, verb)| {
        of_all(catalog, &segments, Some(&verb))
    })
}

fn of_all<'c>(catalog: &'c Catalog, path: &[&str], verb: Option<&str>) -> Vec<Match<'c>> {
    let bindings = catalog.http_bindings().iter().map(|binding| &**binding);
    bindings
        .filter(|binding| binding.template.verb() == verb && fits(binding.template.segments(), path))
        .map(|binding| (binding, captures(&binding.template, path)))
        .collect()
}

fn fits(template: &[Segment], path: &[&str]) -> bool {
    match (template, path) {
        ([], []) | ([Segment::Rest], _) => true,
        ([Segment::One, template @ ..], [_, path @ ..]) => fits(template, path),
        ([Segment::Literal(text), template @ ..], [segment, path @ ..]) => {
            decode(segment, false).as_deref() == Some(text) && fits(template, path)
        }
        _ => false,
    }
}

fn captures(template: &PathTemplate, path: &[&str]) -> Vec<String> {
    let value = |range: std::ops::Range<usize>| {
        let kinds = &template.segments()[range.clone()];
        let takes_rest = kinds.last() == Some(&Segment::Rest);
        let end = if takes_rest { path.len() } else { range.end };
        let matched = path.get(range.start..end).unwrap_or_default();
        let is_of_several = takes_rest || kinds.len() != 1;
        let values: Vec<String> = matched
            .iter()
            .map(|segment| decode(segment, is_of_several).unwrap())
            .collect();
        values.join("/")
    };
    template.captures().map(value).collect()
}

/// `None` if it is not correctly encoded. An encoded slash can stay as it is.
fn decode(text: &str, keep_slashes: bool) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        match u8::from_str_radix(digits, 16).ok()? {
            b'/' if keep_slashes => bytes.extend([b"%", digits.as_bytes()].concat()),
            byte => bytes.push(byte),
        }
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}
