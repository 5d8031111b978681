//! The mapping by example, and what errors say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use common::{descriptor, field_plan, meaning, oracle_written, read, written};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

/// The meaning of a text.
fn means(name: &str, json: &str) -> Value {
    meaning(&read(name, json).unwrap_or_else(|error| panic!("{json}: {error}")))
}

#[test]
fn names_have_two_forms() {
    let message = r#"{"another name\"": "a", "longSnakeCaseName": "b", "_odd__name_1": 3}"#;
    let expected = json!({"another name\"": "a", "longSnakeCaseName": "b", "OddName1": 3});
    assert_eq!(means("shapes.Names", message), expected);
    assert_eq!(
        means("shapes.Names", r#"{"renamed": "a", "OddName1": 3}"#)["OddName1"],
        3
    );
    // Where one field has the JSON name of another, the JSON name counts.
    assert_eq!(
        means("shapes.Names", r#"{"swapped": "2", "back": "1"}"#),
        json!({"swapped": "2", "back": "1"})
    );
    // Escapes in names are resolved.
    assert_eq!(
        means("shapes.Tree", r#"{"\u006eame": "a"}"#),
        json!({"name": "a"})
    );
}

#[test]
fn numbers_are_read_in_all_their_forms() {
    for (text, value) in [
        (r#"{"int32": 1e2}"#, json!({"int32": 100})),
        (r#"{"int32": "-7"}"#, json!({"int32": -7})),
        (r#"{"int32": 2.0}"#, json!({"int32": 2})),
        (
            r#"{"int64": 9223372036854775807}"#,
            json!({"int64": "9223372036854775807"}),
        ),
        (
            r#"{"sint64": "-9223372036854775808"}"#,
            json!({"sint64": "-9223372036854775808"}),
        ),
        (
            r#"{"uint64": "18446744073709551615"}"#,
            json!({"uint64": "18446744073709551615"}),
        ),
        (r#"{"sfixed32": -2147483648}"#, json!({"sfixed32": -2147483648})),
        (r#"{"double": "1.5"}"#, json!({"double": 1.5})),
        (r#"{"double": "-Infinity"}"#, json!({"double": "-Infinity"})),
        (r#"{"float": "NaN"}"#, json!({"float": "NaN"})),
        (r#"{"double": 7.038531e-26}"#, json!({"double": 7.038531e-26})),
        (
            r#"{"float": 340282346638528859811704183484516925440}"#,
            json!({"float": 3.402_823_5e38}),
        ),
        (r#"{"colour": "ROT"}"#, json!({"colour": "RED"})),
        (r#"{"colour": 17}"#, json!({"colour": 17})),
        (r#"{"bytes": "_-8"}"#, json!({"bytes": "/+8="})),
        (r#"{"nothing": null, "bool": null}"#, json!({})),
    ] {
        assert_eq!(means("shapes.Scalars", text), value, "{text}");
    }
}

#[test]
fn a_number_is_read_as_the_nearest_one() {
    for digits in [
        "2.2250738585072011e-308",
        "9007199254740993.0",
        "0.1",
        "1.7976931348623157e308",
        "5e-324",
    ] {
        let message = read("shapes.Scalars", &format!(r#"{{"double": {digits}}}"#)).unwrap();
        let expected: f64 = digits.parse().unwrap();
        let value = message.get_field_by_name("double").unwrap().as_f64().unwrap();
        assert_eq!(value.to_bits(), expected.to_bits(), "{digits}");
    }
}

#[test]
fn defaults_are_on_the_wire_only_where_they_differ_from_absence() {
    let zeros =
        r#"{"int32": 0, "string": "", "bytes": "", "bool": false, "colour": "COLOUR_NONE", "double": 0.0}"#;
    assert!(read("shapes.Scalars", zeros).unwrap().encode_to_vec().is_empty());
    let zeros = r#"{"int32": 0, "string": "", "bytes": "", "bool": false, "colour": 0, "double": 0}"#;
    let expected =
        json!({"int32": 0, "string": "", "bytes": "", "bool": false, "colour": "COLOUR_NONE", "double": 0.0});
    assert_eq!(means("shapes.Optionals", zeros), expected);
    assert_eq!(
        written("shapes.Optionals", &[]).unwrap(),
        "{}",
        "what can be absent is left out when it is"
    );
    assert_eq!(
        written("shapes.Tree", &[]).unwrap(),
        r#"{"name":"","children":[],"named":{}}"#,
        "other fields are always there"
    );
    assert_eq!(
        written("shapes2.Old", &[]).unwrap(),
        r#"{"unpacked":[],"packed":[],"many":[],"closeds":{}}"#,
        "defaults of proto2 are no values"
    );
}

#[test]
fn null_is_absence_or_a_value() {
    assert_eq!(
        means("shapes.Oneofs", r#"{"number": null, "text": "a"}"#),
        json!({"text": "a"})
    );
    assert_eq!(
        means("shapes.Oneofs", r#"{"nothing": null}"#),
        json!({"nothing": null})
    );
    assert_eq!(
        means("shapes.Oneofs", r#"{"anything": null}"#),
        json!({"anything": null})
    );
    assert_eq!(
        means("shapes.Optionals", r#"{"nothing": null}"#),
        json!({"nothing": null})
    );
    assert_eq!(
        means("shapes.WellKnown", r#"{"string": null, "value": null}"#),
        json!({"value": null})
    );
    assert_eq!(means("google.protobuf.Value", "null"), json!(null));
    assert_eq!(
        means("shapes.Maps", r#"{"bools": {"true": null}}"#),
        json!({"bools": {"true": null}})
    );
}

#[test]
fn groups_are_messages() {
    let json = r#"{"required": 1, "one": {"name": "a", "inner": {"required": 2}}, "many": [{"data": "AA=="}, {}], "chosen": {"number": 3}}"#;
    let expected: Value = serde_json::from_str(json).unwrap();
    assert_eq!(means("shapes2.Old", json), expected);
}

#[test]
fn any_message_stands_with_its_type() {
    let tree = r#"{"@type":"type.googleapis.com/shapes.Tree","name":"a","children":[],"named":{}}"#;
    let wire = common::plan("google.protobuf.Any")
        .to_wire(tree.as_bytes())
        .unwrap();
    assert_eq!(written("google.protobuf.Any", &wire).unwrap(), tree);
    let bare = r#"{"@type":"type.googleapis.com/shapes.Optionals"}"#;
    for (text, again) in [
        // The type may come last.
        (
            r#"{"name":"a","left":{"name":"b"},"@type":"x/shapes.Tree"}"#,
            r#"{"@type":"x/shapes.Tree","name":"a","left":{"name":"b","children":[],"named":{}},"children":[],"named":{}}"#,
        ),
        (bare, bare),
        (
            r#"{"@type":"x/google.protobuf.Int64Value","value":"7"}"#,
            r#"{"@type":"x/google.protobuf.Int64Value","value":"7"}"#,
        ),
        (
            r#"{"value":"1.5s","@type":"x/google.protobuf.Duration"}"#,
            r#"{"@type":"x/google.protobuf.Duration","value":"1.500s"}"#,
        ),
        (
            r#"{"@type":"x/google.protobuf.Value","value":null}"#,
            r#"{"@type":"x/google.protobuf.Value","value":null}"#,
        ),
        (
            r#"{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Empty","value":{}}}"#,
            r#"{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Empty","value":{}}}"#,
        ),
        (
            r#"{"@type":"x/shapes2.Old","required":1}"#,
            r#"{"@type":"x/shapes2.Old","required":1,"unpacked":[],"packed":[],"many":[],"closeds":{}}"#,
        ),
    ] {
        let wire = common::plan("google.protobuf.Any").to_wire(text.as_bytes());
        let wire = wire.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(written("google.protobuf.Any", &wire).unwrap(), again, "{text}");
    }
    refused(
        "shapes.WellKnown",
        &[
            (
                r#"{"any": {"a": 1}}"#,
                "any",
                (1, 16),
                "a member @type must name the type",
            ),
            (
                r#"{"any": {"@type": 1}}"#,
                "any.@type",
                (1, 19),
                "expected a string",
            ),
            (r#"{"any": {"@type": "Tree"}}"#, "any", (1, 25), "it has no slash"),
            (
                r#"{"any": {"@type": "x/shapes.Tree", "nope": 1}}"#,
                "any.nope",
                (1, 41),
                "has no field of this name",
            ),
            (
                r#"{"any": {"@type": "x/shapes.Tree", "left": {"name": 1}}}"#,
                "any.left.name",
                (1, 53),
                "a string",
            ),
            (
                r#"{"any": {"left": {"name": 1}, "@type": "x/shapes.Tree"}}"#,
                "any",
                (1, 55),
                "in the member [left]: invalid type",
            ),
            (
                r#"{"any": {"@type": "x/shapes.Tree", "@type": "x/shapes.Tree"}}"#,
                "any.@type",
                (1, 42),
                "has no field of this name",
            ),
            (
                r#"{"any": {"@type": "x/google.protobuf.Duration"}}"#,
                "any",
                (1, 47),
                "the member value is missing",
            ),
            (
                r#"{"any": {"@type": "x/google.protobuf.Duration", "seconds": 1}}"#,
                "any.seconds",
                (1, 57),
                "has one member, value",
            ),
            (
                r#"{"any": {"@type": "x/google.protobuf.Duration", "value": 1}}"#,
                "any.value",
                (1, 58),
                "a time span as text",
            ),
        ],
    );
    for (wire, text) in [
        (vec![0x0a, 1, b'x'], "the type [x] is no URL"),
        (vec![0x12, 1, 0], "the type [] is no URL"),
        (vec![0x0a, 3, b'x', b'/', b'y'], "the type [y] is unknown"),
        (
            vec![
                0x0a, 13, b'x', b'/', b's', b'h', b'a', b'p', b'e', b's', b'.', b'T', b'r', b'e', b'e', 0x12,
                2, 0x0a, 9,
            ],
            "field [name]",
        ),
    ] {
        let error = written("google.protobuf.Any", &wire).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn any_in_any_has_an_end() {
    let nested = |depth: usize| {
        let open = r#"{"@type":"x/google.protobuf.Any","value":"#.repeat(depth);
        format!("{open}{{}}{}", "}".repeat(depth))
    };
    assert!(read("google.protobuf.Any", &nested(99)).is_ok());
    assert!(read("google.protobuf.Any", &nested(5000)).is_err());
    let reversed = |depth: usize| {
        let close = r#","@type":"x/google.protobuf.Any"}"#.repeat(depth);
        format!("{}{{}}{close}", r#"{"value":"#.repeat(depth))
    };
    assert!(read("google.protobuf.Any", &reversed(50)).is_ok());
    assert!(read("google.protobuf.Any", &reversed(5000)).is_err());
    let mut wire = Vec::new();
    for _ in 0..300 {
        let mut outer = vec![0x0a, 21];
        outer.extend_from_slice(b"x/google.protobuf.Any");
        prost::encoding::bytes::encode(2, &wire, &mut outer);
        wire = outer;
    }
    let error = written("google.protobuf.Any", &wire).unwrap_err();
    assert!(error.reason.contains("deeper than 100"), "{error}");
}

/// A text, and where its fault is: path, line and column, and a part of the reason.
type Refused = (&'static str, &'static str, (usize, usize), &'static str);

fn refused(name: &str, cases: &[Refused]) {
    for &(text, path, (line, column), reason) in cases {
        let error = read(name, text).expect_err(text);
        assert_eq!(error.path, path, "{text}: {error}");
        assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
}

#[test]
fn refusals_name_field_position_and_reason() {
    refused(
        "shapes.Everything",
        &[
            (
                r#"{"nope": 1}"#,
                "nope",
                (1, 7),
                "shapes.Everything has no field of this name",
            ),
            (
                r#"{"scalars": {"int32": 2147483648}}"#,
                "scalars.int32",
                (1, 32),
                "a whole number from -2147483648 to 2147483647",
            ),
            (
                r#"{"scalars": {"uint32": -1}}"#,
                "scalars.uint32",
                (1, 25),
                "a whole number from 0 to 4294967295",
            ),
            (
                r#"{"scalars": {"int32": 1.5}}"#,
                "scalars.int32",
                (1, 25),
                "a whole number",
            ),
            (
                r#"{"scalars": {"int32": "1.0"}}"#,
                "scalars.int32",
                (1, 27),
                "a whole number",
            ),
            (
                r#"{"scalars": {"float": 3.5e38}}"#,
                "scalars.float",
                (1, 28),
                "a number of 32 bits",
            ),
            (
                r#"{"scalars": {"double": 1e400}}"#,
                "scalars.double",
                (1, 28),
                "number out of range",
            ),
            (
                r#"{"scalars": {"bool": "true"}}"#,
                "scalars.bool",
                (1, 27),
                "true or false",
            ),
            (
                r#"{"scalars": {"string": 1}}"#,
                "scalars.string",
                (1, 24),
                "a string",
            ),
            (
                r#"{"scalars": {"bytes": "?"}}"#,
                "scalars.bytes",
                (1, 25),
                "not base64",
            ),
            (
                r#"{"scalars": {"colour": "BLUE"}}"#,
                "scalars.colour",
                (1, 29),
                "the name or number of an enum value",
            ),
            (
                r#"{"scalars": {"colour": 2147483648}}"#,
                "scalars.colour",
                (1, 33),
                "the name or number of an enum value",
            ),
            (
                r#"{"scalars": {"nothing": 0}}"#,
                "scalars.nothing",
                (1, 25),
                "expected null",
            ),
            (
                r#"{"scalars": []}"#,
                "scalars",
                (1, 12),
                "an object for shapes.Scalars",
            ),
            (r#"{"lists": {"int32s": 1}}"#, "lists.int32s", (1, 22), "an array"),
            (
                r#"{"lists": {"int32s": [1, null]}}"#,
                "lists.int32s[1]",
                (1, 29),
                "null",
            ),
            (
                r#"{"lists": {"scalars": [{}, {"int32": []}]}}"#,
                "lists.scalars[1].int32",
                (1, 39),
                "a whole number",
            ),
            (
                "{\"maps\":\n {\"uint64s\": {\"1\": 1}}}",
                "maps.uint64s.1",
                (2, 20),
                "true or false",
            ),
            (
                r#"{"maps": {"uint64s": {"x": true}}}"#,
                "maps.uint64s.x",
                (1, 25),
                "a whole number from 0",
            ),
            (
                r#"{"maps": {"bools": {"yes": 1}}}"#,
                "maps.bools.yes",
                (1, 25),
                "true or false as key",
            ),
            (
                r#"{"maps": {"strings": {"a": null}}}"#,
                "maps.strings.a",
                (1, 31),
                "null",
            ),
            (
                r#"{"oneofs": {"number": 1, "text": "a"}}"#,
                "oneofs.text",
                (1, 33),
                "another field of the oneof [one] is given",
            ),
            (
                r#"{"wellKnown": {"time": "noon"}}"#,
                "wellKnown.time",
                (1, 29),
                "expected a time such as",
            ),
            (
                r#"{"wellKnown": {"span": "1m"}}"#,
                "wellKnown.span",
                (1, 27),
                "expected seconds such as",
            ),
            (
                r#"{"wellKnown": {"mask": "a_b"}}"#,
                "wellKnown.mask",
                (1, 28),
                "lowerCamel",
            ),
            (
                r#"{"wellKnown": {"empty": {"a": 1}}}"#,
                "wellKnown.empty.a",
                (1, 28),
                "no field of this name",
            ),
            (
                r#"{"wellKnown": {"any": {"@type": "a/b.C"}}}"#,
                "wellKnown.any",
                (1, 40),
                "the type [b.C] is unknown",
            ),
        ],
    );
    let twice = "{\"maps\": {\"strings\": {\"a\": {}, \"a\": {}}}}";
    refused(
        "shapes.Everything",
        &[(twice, "maps.strings", (1, 39), "a key of the map is given twice")],
    );
    for text in [
        "",
        " ",
        "{",
        "{]",
        "[]",
        "{} x",
        "{\"scalars\": {\"bool\": tru}}",
        "\u{feff}{}",
        "{\"names\": {\"back\": \"\\ud800\"}}",
    ] {
        let error = read("shapes.Everything", text).expect_err(text);
        assert!(error.malformed || text == "[]", "{text}: {error}");
    }
    let error = read("shapes.Tree", "{\"name\": \"a\", \"left\": nil}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed JSON at line 1, column 24: expected ident"
    );
    let mut wrong = b"{\"name\": \"".to_vec();
    wrong.extend_from_slice(b"\xff\"}");
    let error = common::plan("shapes.Tree").to_wire(&wrong).unwrap_err();
    assert_eq!((error.malformed, error.path.as_str()), (true, ""), "{error}");
}

#[test]
fn broken_messages_name_field_and_position() {
    let tree = |content: &[u8]| [&[0x12, content.len() as u8], content].concat();
    for (wire, text) in [
        (vec![0x0a], "it goes beyond the end"),
        (vec![0x0a, 5, b'a'], "field [name] at byte 1: "),
        (
            tree(&[0x0a, 2, 0xff, 0xff]),
            "field [left.name] at byte 3: its text is no UTF-8",
        ),
        (
            tree(&[0x08, 1]),
            "field [left.name] at byte 3: it cannot have the wire type Varint",
        ),
        (
            vec![0x1a, 0, 0x1a, 2, 0x0a, 9],
            "field [children[1].name] at byte 5: ",
        ),
        (vec![0x22, 6, 0x0a, 1, b'k', 0x12, 1, 0x0a], "field [named.k"),
        (vec![0x07], "invalid wire type"),
    ] {
        let error = written("shapes.Tree", &wire).unwrap_err().to_string();
        assert!(
            error.contains(text) || text == "it goes beyond the end",
            "{wire:?}: {error}"
        );
        assert!(oracle_written("shapes.Tree", &wire).is_err(), "{wire:?}");
    }
    let mut message = DynamicMessage::new(descriptor("google.protobuf.Value"));
    message.set_field_by_name("number_value", prost_reflect::Value::F64(f64::INFINITY));
    let error = written("google.protobuf.Value", &message.encode_to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a google.protobuf.Value cannot be NaN or infinite"
    );
}

#[test]
fn what_the_wire_holds_twice_is_merged() {
    let parts = [
        r#"{"left": {"name": "a", "size": "1"}, "children": [{}], "named": {"k": {"name": "first"}}}"#,
        r#"{"left": {"name": "b", "left": {}}, "children": [{"name": "c"}], "named": {"k": {"size": "3"}}}"#,
    ];
    let wire: Vec<u8> = parts
        .iter()
        .flat_map(|part| read("shapes.Tree", part).unwrap().encode_to_vec())
        .collect();
    let merged: Value = serde_json::from_str(&written("shapes.Tree", &wire).unwrap()).unwrap();
    assert_eq!(merged["left"]["name"], "b");
    assert_eq!(merged["left"]["size"], "1");
    assert_eq!(merged["left"]["left"]["name"], "");
    assert_eq!(merged["children"].as_array().unwrap().len(), 2);
    assert_eq!(
        merged["named"]["k"],
        json!({"name": "", "children": [], "named": {}, "size": "3"})
    );
    let wire: Vec<u8> = [r#"{"text": "a"}"#, r#"{"number": 1}"#, r#"{"text": "b"}"#]
        .iter()
        .flat_map(|part| read("shapes.Oneofs", part).unwrap().encode_to_vec())
        .collect();
    assert_eq!(
        written("shapes.Oneofs", &wire).unwrap(),
        r#"{"before":0,"text":"b","after":""}"#
    );
}

#[test]
fn a_value_without_json_is_no_fault_if_another_takes_its_place() {
    let entry = |json: &str| read("shapes.Maps", json).unwrap().encode_to_vec();
    // Seconds of a time in the year 1, and of one long before.
    let good = entry(r#"{"sfixed64s": {"7": "0001-01-01T00:00:00Z"}}"#);
    let mut bad = good.clone();
    let last = bad.len() - 2;
    bad[last] ^= 0x10;
    assert!(
        written("shapes.Maps", &bad)
            .unwrap_err()
            .reason
            .contains("the years 1 to 9999")
    );
    let other = entry(r#"{"sfixed64s": {"8": "0001-01-01T00:00:00Z"}}"#);
    let wire = [&bad[..], &other].concat();
    let error = written("shapes.Maps", &wire).unwrap_err();
    assert_eq!(error.path, "sfixed64s.7");
    let wire = [&bad[..], &other, &good].concat();
    assert!(
        written("shapes.Maps", &wire).is_ok(),
        "{:?}",
        written("shapes.Maps", &wire)
    );
}

#[test]
fn nesting_ends_at_the_limit_of_protobuf_readers() {
    let nested = |levels: usize| [r#"{"left":"#.repeat(levels), "{}".to_owned(), "}".repeat(levels)].concat();
    let wire = common::plan("shapes.Tree")
        .to_wire(nested(100).as_bytes())
        .unwrap();
    assert!(DynamicMessage::decode(descriptor("shapes.Tree"), wire.as_slice()).is_ok());
    assert!(written("shapes.Tree", &wire).is_ok());
    let error = read("shapes.Tree", &nested(101)).unwrap_err();
    assert_eq!(error.reason, "messages nest deeper than 100");
    let deeper = [
        &[0x12, 0x80 | (wire.len() & 0x7f) as u8, (wire.len() >> 7) as u8][..],
        &wire,
    ]
    .concat();
    let error = written("shapes.Tree", &deeper).unwrap_err();
    assert_eq!(error.reason, "messages nest deeper than 100");
    for text in [
        "[".repeat(100_000),
        "{\"left\":".repeat(100_000),
        "{\"children\":[".repeat(100_000),
    ] {
        assert!(read("shapes.Tree", &text).is_err());
        assert!(read("google.protobuf.Value", &text).is_err());
    }
}

#[test]
fn a_field_can_stand_for_its_message() {
    let (of, tree) = (
        "shapes.Tree",
        read(
            "shapes.Tree",
            r#"{"name": "a", "left": {"name": "b"}, "children": [{}]}"#,
        ),
    );
    let tree = tree.unwrap().encode_to_vec();
    for (field, shown) in [
        ("name", r#""a""#),
        ("left", r#"{"name":"b","children":[],"named":{}}"#),
        ("children", r#"[{"name":"","children":[],"named":{}}]"#),
        ("named", "{}"),
        ("size", "null"),
    ] {
        let plan = field_plan(of, field);
        let json = plan.to_json(&tree).unwrap();
        assert_eq!(String::from_utf8(json.clone()).unwrap(), shown);
        if shown != "null" {
            // What it makes of the text is what the message has of the field.
            assert_eq!(plan.to_json(&plan.to_wire(&json).unwrap()).unwrap(), json);
        }
    }
    // Another field of the oneof comes later on the wire.
    let text = field_plan("shapes.Oneofs", "text");
    assert_eq!(text.to_json(b"\x1a\x01a\x10\x07").unwrap(), b"null");
    let error = field_plan(of, "children")
        .to_wire(b"[{}, {\"nope\": 1}]")
        .unwrap_err();
    assert_eq!(error.path, "[1].nope");
    assert!(field_plan(of, "left").to_wire(b"null").is_err());
    assert!(field_plan(of, "children").to_wire(b"{}").is_err());
    let old = field_plan("shapes2.Extended", "name");
    assert_eq!(old.to_json(b"\x0a\x01a\xa0\x06\x07").unwrap(), b"\"a\"");
    let group = field_plan("shapes2.Old", "one");
    assert_eq!(
        group
            .to_json(&group.to_wire(b"{\"name\": \"a\"}").unwrap())
            .unwrap(),
        b"{\"name\":\"a\"}"
    );
}

#[test]
fn extensions_have_their_names_in_brackets() {
    let json = r#"{"extended": {"name": "a", "[shapes2.extra]": 3, "[shapes2.olds]": [{"required": 1}]}, "required": 0}"#;
    let expected: Value = serde_json::from_str(json).unwrap();
    assert_eq!(means("shapes2.Old", json), expected);
}

#[test]
fn well_known_types_with_other_fields_do_no_harm() {
    let source = r#"
        syntax = "proto3"; package google.protobuf;
        message Struct { int32 fields = 1; }
        message Value { Struct struct_value = 5; }
        message StringValue {}
        message Timestamp { string seconds = 1; }
        message Duration { repeated Timestamp seconds = 1; }
    "#;
    let file = protox::file::File::from_source("google/protobuf/fake.proto", source).unwrap();
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_proto(file.file_descriptor_proto().clone())
        .unwrap();
    for of in pool.all_messages() {
        let plan = cloudstate_json::Plan::new(&cloudstate_json::Root::Message(of.clone()));
        for json in ["{}", "null", "\"1s\"", "{\"fields\": 1}", "[1]"] {
            let _ = plan.to_wire(json.as_bytes());
        }
        for wire in [&b""[..], b"\x08\x01", b"\x0a\x01a", b"\x2a\x02\x08\x01"] {
            let _ = plan.to_json(wire);
        }
    }
}
