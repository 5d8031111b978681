//! Rust names for protobuf names.

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Keywords that may not be raw identifiers.
const UNESCAPABLE: &[&str] = &["crate", "self", "super"];

/// The module of a service: its upper camel case name in snake case, escaped if it is a keyword.
pub(crate) fn module(service: &str) -> String {
    let mut name = String::with_capacity(service.len() + 4);
    for (index, letter) in service.chars().enumerate() {
        if letter.is_uppercase() && index > 0 && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    escape(name)
}

fn escape(name: String) -> String {
    if UNESCAPABLE.contains(&name.as_str()) {
        name + "_"
    } else if KEYWORDS.contains(&name.as_str()) {
        ["r#", &name].concat()
    } else {
        name
    }
}

/// A type as seen from the package's module, as seen from `depth` modules further in.
pub(crate) fn from_within(rust_type: &str, depth: usize) -> String {
    // The wrappers of scalars (`google.protobuf.Int32Value` …) have become plain scalars, `Empty` has become unit.
    let built_in = matches!(
        rust_type,
        "()" | "bool" | "f32" | "f64" | "i32" | "i64" | "u32" | "u64"
    );
    if built_in || rust_type.starts_with("::") {
        rust_type.to_owned()
    } else {
        "super::".repeat(depth) + rust_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_snake_case_and_never_keywords() {
        assert_eq!(module("ShoppingCart"), "shopping_cart");
        assert_eq!(module("HotItems2"), "hot_items2");
        assert_eq!(module("Type"), "r#type");
        assert_eq!(module("Self"), "self_");
    }

    #[test]
    fn only_relative_types_are_rebased() {
        assert_eq!(from_within("Cart", 1), "super::Cart");
        assert_eq!(
            from_within("super::other::Cart", 2),
            "super::super::super::other::Cart"
        );
        assert_eq!(from_within("()", 1), "()");
        assert_eq!(from_within("i64", 1), "i64");
        assert_eq!(
            from_within("::cloudstate_sdk::protocol::Any", 1),
            "::cloudstate_sdk::protocol::Any"
        );
    }
}
