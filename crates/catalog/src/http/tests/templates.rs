use proptest::prelude::*;

use crate::http::{PathTemplate, Segment};

#[track_caller]
fn check_error(template: &str, expected: &str) {
    assert_eq!(
        PathTemplate::parse(template).unwrap_err().to_string(),
        format!("{expected} of '{template}'")
    );
}

#[test]
fn errors_name_the_column() {
    check_error("foo", "Template must start with a slash at character 1");
    check_error("", "Template must start with a slash at end of input");
    check_error(
        "/foo/{bar={baz}}",
        "Variable segments may not be nested at character 11",
    );
    check_error(
        "/foo/{bar*}",
        "Unclosed variable or unexpected character at character 10",
    );
    check_error(
        "/foo/{bar",
        "Unclosed variable or unexpected character at end of input",
    );
    check_error(
        "/foo/{",
        "Unclosed variable or unexpected character at end of input",
    );
    check_error(
        "/foo/{bar=",
        "Unclosed variable or unexpected character at end of input",
    );
    check_error(
        "/foo/{bar=ba*}",
        "Unclosed variable or unexpected character at character 13",
    );
    check_error(
        "/foo/{bar=a:b}",
        "Unclosed variable or unexpected character at character 12",
    );
    check_error(
        "/f*o",
        "Expected '/', ':', path literal character, or end of input at character 3",
    );
    check_error(
        "/a*",
        "Expected '/', ':', path literal character, or end of input at character 3",
    );
    check_error(
        "/*o",
        "Expected '/', ':', path literal character, or end of input at character 3",
    );
    check_error(
        "/***",
        "Expected '/', ':', path literal character, or end of input at character 4",
    );
    check_error(
        "/{a}b",
        "Expected '/', ':', path literal character, or end of input at character 5",
    );
    check_error(
        "/a}",
        "Expected '/', ':', path literal character, or end of input at character 3",
    );
    check_error(
        "/a:b/c",
        "Expected '/', ':', path literal character, or end of input at character 5",
    );
    check_error(
        "/a:b:c",
        "Expected '/', ':', path literal character, or end of input at character 5",
    );
    check_error(
        "/a\nb",
        "Expected '/', ':', path literal character, or end of input at character 3",
    );
    check_error(
        "/{1a}",
        "Expected identifier first letter, but got '1' at character 3",
    );
    check_error(
        "/{a.}",
        "Expected identifier first letter, but got '}' at character 5",
    );
    check_error(
        "/{}",
        "Expected identifier first letter, but got '}' at character 3",
    );
    check_error(
        "/{duplicated}/{duplicated}",
        "Duplicate path in template at character 16",
    );
    check_error(
        "/ü/{x",
        "Unclosed variable or unexpected character at end of input",
    );
    check_error("/ü/a%2", "'%' without two hexadecimal digits at character 5");
    check_error("/a/%zz:b", "'%' without two hexadecimal digits at character 4");
    check_error("/a:%", "'%' without two hexadecimal digits at character 4");
    check_error("/a/b%FF", "Escapes that are not UTF-8 at character 4");
    let not_last = "Multi segment matchers (**) may only be in the last position of the template";
    check_error("/**/a", &format!("{not_last} at character 2"));
    check_error("/{a=b/**}/c", &format!("{not_last} at character 7"));
    check_error("/{a=**/c}", &format!("{not_last} at character 5"));
}

#[test]
fn well_formed_templates_parse() {
    for template in [
        "/",
        "//",
        "/a",
        "/a/",
        "/*",
        "/**",
        "/{a}",
        "/{a.b_1.c}",
        "/{a=*}",
        "/{a=}",
        "/{a=b/*/c}/d:e",
        "/{a=**}:e",
        "/a:",
        "/ü/%20/+",
        "/{a}/{a.b}",
    ] {
        assert_eq!(
            PathTemplate::parse(template).map(|parsed| parsed.to_string()),
            Ok(template.to_owned())
        );
    }
}

#[test]
fn variables_come_in_order() {
    let template = PathTemplate::parse("/{b=x/*}/{a.c}").unwrap();
    assert_eq!(template.variables().collect::<Vec<_>>(), ["b", "a.c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_text_is_parsed_or_refused_at_a_column_within(text in "/?[/{}*:=.a1_ü%\n]{0,12}") {
        if let Err(error) = PathTemplate::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error);
        }
    }
}

#[test]
fn a_template_tells_its_segments_and_what_variables_capture() {
    let template = PathTemplate::parse("/v1/{name=shelves/*/books/*}/{other}/**:wa%20tch").unwrap();
    let literal = |text: &str| Segment::Literal(text.into());
    assert_eq!(
        template.segments(),
        [
            literal("v1"),
            literal("shelves"),
            Segment::One,
            literal("books"),
            Segment::One,
            Segment::One,
            Segment::Rest
        ]
    );
    assert_eq!(template.captures().collect::<Vec<_>>(), [1..5, 5..6]);
    assert_eq!(template.verb(), Some("wa tch"));
}
