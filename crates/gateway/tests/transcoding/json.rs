//! The JSON mapping of protobuf, both ways. Source: its specification, and the cases by which implementations of protobuf are held
//! to it (`conformance/binary_json_conformance_suite.cc` of protobuf).

use cloudstate_gateway::{transcode, transcode_reply};
use http::Request;

use super::check;
use crate::common::actions;

const PROTO: &str = r#"
    enum Colour { RED = 0; GREEN = 1; CRIMSON = 2; }
    enum Alias { option allow_alias = true; ZERO = 0; TWO = 2; DEUX = 2; deux = 2; }
    message Inner { int32 a = 1; Inner deeper = 2; }
    message All {
      int32 i32 = 1; int64 i64 = 2; uint32 u32 = 3; uint64 u64 = 4; float f32 = 5; double f64 = 6; bool flag = 7;
      string text = 8; bytes raw = 9; Colour colour = 10; Alias alias = 11; Inner inner = 12; sint32 s32 = 13;
      fixed64 x64 = 14;
      repeated int32 i32s = 20; repeated string texts = 21; repeated bytes raws = 22; repeated Colour colours = 23;
      repeated Inner inners = 24;
      map<int32, int32> by_i32 = 30; map<bool, bool> by_flag = 31; map<string, Inner> by_text = 32;
      map<uint64, Colour> by_u64 = 33;
      oneof one { uint32 one_u32 = 40; string one_text = 41; Inner one_inner = 42; Colour one_colour = 43;
                  google.protobuf.NullValue one_null = 44; }
      google.protobuf.BoolValue w_flag = 50; google.protobuf.Int32Value w_i32 = 51; google.protobuf.Int64Value w_i64 = 52;
      google.protobuf.StringValue w_text = 53; google.protobuf.BytesValue w_raw = 54; google.protobuf.FloatValue w_f32 = 55;
      google.protobuf.DoubleValue w_f64 = 56; repeated google.protobuf.Int32Value w_i32s = 57;
      google.protobuf.Duration lasts = 60; google.protobuf.Timestamp at = 61; google.protobuf.FieldMask mask = 62;
      google.protobuf.Struct object = 63; google.protobuf.Value value = 64; google.protobuf.ListValue list = 65;
      google.protobuf.Any any = 66; google.protobuf.Empty empty = 67; repeated google.protobuf.Value values = 68;
      optional int32 maybe = 70; int32 _odd__name_1 = 71; int32 renamed = 72 [json_name = "@other"]; int32 UPPER = 73;
    }
    service Service { rpc C(All) returns (All) { option (google.api.http) = { post: "/c" body: "*" }; } }
"#;

/// Checks what the function gets of each body: JSON with the same meaning, `=` for the same text, or `400` and a part of the message.
fn reading(cases: &[(&str, &str)]) {
    let cases: Vec<(&str, String)> = cases
        .iter()
        .map(|(body, expected)| match *expected {
            "=" => (*body, format!("C {body}")),
            expected if expected.starts_with("400") => (*body, expected.to_owned()),
            expected => (*body, format!("C {expected}")),
        })
        .collect();
    let cases: Vec<_> = cases
        .iter()
        .map(|(body, expected)| ("POST /c", *body, expected.as_str()))
        .collect();
    check(PROTO, &cases);
}

#[test]
fn names_have_both_forms() {
    reading(&[
        (r#"{"oneText":"a"}"#, "="),
        (r#"{"one_text":"a"}"#, r#"{"oneText":"a"}"#),
        (r#"{"OddName1":1}"#, "="),
        (r#"{"_odd__name_1":1}"#, r#"{"OddName1":1}"#),
        (r#"{"@other":1}"#, "="),
        (r#"{"renamed":1}"#, r#"{"@other":1}"#),
        (r#"{"UPPER":1}"#, "="),
        (r#"{"i3\u0032":1}"#, r#"{"i32":1}"#),
        (r#"{"upper":1}"#, "400 [upper]"),
        (r#"{"I32":1}"#, "400 [I32]"),
        (r#"{i32:1}"#, "400 malformed JSON at line 1, column 2"),
        (r#"{'i32':1}"#, "400 malformed JSON at line 1, column 2"),
        (r#"{"i32":1,}"#, "400 malformed JSON at line 1, column 10"),
        (r#"{"i32":1 "i64":2}"#, "400 malformed JSON"),
        (r#"{/*x*/"i32":1}"#, "400 malformed JSON"),
        ("null", "400"),
        ("[]", "400"),
        ("{} {}", "400"),
    ]);
}

#[test]
fn integers_are_numbers_or_text() {
    reading(&[
        (r#"{"i32":-2147483648}"#, "="),
        (r#"{"i32":2147483648}"#, "400 [i32]"),
        (r#"{"i32":-2147483649}"#, "400 [i32]"),
        (r#"{"u32":4294967295}"#, "="),
        (r#"{"u32":4294967296}"#, "400 [u32]"),
        (r#"{"u32":-1}"#, "400 [u32]"),
        (r#"{"i64":"9223372036854775807"}"#, "="),
        (
            r#"{"i64":-9223372036854775808}"#,
            r#"{"i64":"-9223372036854775808"}"#,
        ),
        (r#"{"i64":"9223372036854775808"}"#, "400 [i64]"),
        (r#"{"i64":9223372036854775808}"#, "400 [i64]"),
        (r#"{"i64":9.223372036854775808e18}"#, "400 [i64]"),
        (r#"{"u64":"18446744073709551615"}"#, "="),
        (
            r#"{"u64":18446744073709551615}"#,
            r#"{"u64":"18446744073709551615"}"#,
        ),
        (r#"{"u64":18446744073709551616}"#, "400 [u64]"),
        (r#"{"x64":"7"}"#, "="),
        (r#"{"s32":"-7"}"#, r#"{"s32":-7}"#),
        (r#"{"i32":"2\u003147"}"#, r#"{"i32":2147}"#),
        (r#"{"i32":1e5}"#, r#"{"i32":100000}"#),
        (r#"{"i32":100000.000}"#, r#"{"i32":100000}"#),
        (r#"{"i32":2.147483647e9}"#, r#"{"i32":2147483647}"#),
        (r#"{"i32":"1e5"}"#, r#"{"i32":100000}"#),
        (r#"{"u64":"1e536870000"}"#, "400 [u64]"),
        (r#"{"i32":0.5}"#, "400 [i32]"),
        (r#"{"i64":"0.5"}"#, "400 [i64]"),
        (r#"{"i32":true}"#, "400 [i32]"),
        (r#"{"i32":"12abc"}"#, "400 [i32]"),
        (r#"{"i32":"12 34"}"#, "400 [i32]"),
        (r#"{"i32":" 1"}"#, "400 [i32]"),
        (r#"{"i32":"1 "}"#, "400 [i32]"),
        (r#"{"i32":""}"#, "400 [i32]"),
        (r#"{"i32":+1}"#, "400 malformed"),
        (r#"{"i32":01}"#, "400 malformed"),
        (r#"{"i32":-01}"#, "400 malformed"),
        (r#"{"i32":[1]}"#, "400 [i32"),
    ]);
}

#[test]
fn numbers_have_three_names_besides() {
    reading(&[
        (r#"{"f32":1.5,"f64":-2.5}"#, "="),
        (r#"{"f32":3.4028234663852886e+38}"#, "="),
        (r#"{"f32":3.502823e+38}"#, "400 [f32]"),
        (r#"{"f32":-3.502823e+38}"#, "400 [f32]"),
        (r#"{"f64":1.79769e308}"#, "="),
        (r#"{"f64":1.89769e308}"#, "400"),
        (r#"{"f64":5e-324}"#, "="),
        (r#"{"f64":0.1}"#, "="),
        (r#"{"f64":7}"#, r#"{"f64":7.0}"#),
        (r#"{"f64":"1.5"}"#, r#"{"f64":1.5}"#),
        (r#"{"f32":"1.5e3"}"#, r#"{"f32":1500.0}"#),
        (r#"{"f32":"Infinity","f64":"NaN"}"#, "="),
        (r#"{"f32":"-Infinity"}"#, "="),
        (r#"{"f32":"1e60"}"#, "400 [f32]"),
        (r#"{"f64":"1e400"}"#, "400 [f64]"),
        (r#"{"f64":"inf"}"#, "400 [f64]"),
        (r#"{"f64":"nan"}"#, "400 [f64]"),
        (r#"{"f64":"infinity"}"#, "400 [f64]"),
        (r#"{"f64":NaN}"#, "400 malformed"),
        (r#"{"f64":-Infinity}"#, "400 malformed"),
        (r#"{"f32":""}"#, "400 [f32]"),
        (r#"{"f32":true}"#, "400 [f32]"),
        (r#"{"f64":"12,34"}"#, "400 [f64]"),
    ]);
}

#[test]
fn booleans_texts_and_bytes_have_one_form_each() {
    reading(&[
        (r#"{"flag":true}"#, "="),
        (r#"{"flag":"true"}"#, "400 [flag]"),
        (r#"{"flag":1}"#, "400 [flag]"),
        (r#"{"flag":True}"#, "400 malformed"),
        (r#"{"text":"\"\\\/\b\f\n\r\t"}"#, r#"{"text":"\"\\/\b\f\n\r\t"}"#),
        (r#"{"text":"\u8C37\u6b4c谷"}"#, r#"{"text":"谷歌谷"}"#),
        (r#"{"text":"\uD83D\uDE01"}"#, r#"{"text":"😁"}"#),
        (r#"{"text":"a\u0000b"}"#, "="),
        (r#"{"text":"\uD800"}"#, "400 malformed"),
        (r#"{"text":"\uDE01\uD83D"}"#, "400 malformed"),
        (r#"{"text":"\uXXXX"}"#, "400 malformed"),
        (r#"{"text":"abc\"#, "400 malformed"),
        (r#"{"text":'a'}"#, "400 malformed"),
        (r#"{"text":12345}"#, "400 [text]"),
        (r#"{"raw":"AQI="}"#, "="),
        (r#"{"raw":"AQI"}"#, r#"{"raw":"AQI="}"#),
        (r#"{"raw":"-_8="}"#, r#"{"raw":"+/8="}"#),
        (r#"{"raw":"-_8"}"#, r#"{"raw":"+/8="}"#),
        (r#"{"raw":"-_"}"#, r#"{"raw":"+w=="}"#),
        (r#"{"raw":"+/8"}"#, r#"{"raw":"+/8="}"#),
        (r#"{"raw":"?"}"#, "400 [raw]"),
        (r#"{"raw":"AQI=="}"#, "400 [raw]"),
    ]);
}

#[test]
fn enums_are_names_or_numbers() {
    reading(&[
        (r#"{"colour":"GREEN"}"#, "="),
        (r#"{"colour":1}"#, r#"{"colour":"GREEN"}"#),
        (r#"{"colour":77}"#, "="),
        (r#"{"colour":0}"#, "{}"),
        (r#"{"alias":"deux"}"#, r#"{"alias":"TWO"}"#),
        (r#"{"alias":"DEUX"}"#, r#"{"alias":"TWO"}"#),
        (r#"{"colour":"green"}"#, "400 [colour]"),
        (r#"{"colour":"BLUE"}"#, "400 [colour]"),
        (r#"{"colour":GREEN}"#, "400 malformed"),
        (r#"{"colour":["GREEN"]}"#, "400 [colour"),
        (r#"{"colour":true}"#, "400 [colour]"),
        (r#"{"colour":1.5}"#, "400 [colour]"),
        (r#"{"colours":["GREEN","BLUE"]}"#, "400 [colours[1]]"),
        (r#"{"byU64":{"1":"BLUE"}}"#, "400 [byU64.1]"),
    ]);
}

#[test]
fn lists_maps_and_oneofs_are_whole() {
    reading(&[
        (r#"{"i32s":[1,"2",-3]}"#, r#"{"i32s":[1,2,-3]}"#),
        (r#"{"i32s":[]}"#, "{}"),
        (r#"{"i32s":1}"#, "400 [i32s]"),
        (r#"{"i32s":[1,false]}"#, "400 [i32s[1]]"),
        (r#"{"i32s":[1,null]}"#, "400 [i32s[1]]"),
        (r#"{"i32s":[1,2,]}"#, "400 malformed"),
        (r#"{"texts":["1",2]}"#, "400 [texts[1]]"),
        (r#"{"inners":[{"a":1},2]}"#, "400 [inners[1]]"),
        (r#"{"inners":[{"a":1},null]}"#, "400 [inners[1]]"),
        (r#"{"inners":{"a":1}}"#, "400 [inners]"),
        (r#"{"raws":["AAEC","AQI="]}"#, "="),
        (r#"{"byI32":{"1":2,"-1":3}}"#, "="),
        (r#"{"byI32":{"\u0031":2}}"#, r#"{"byI32":{"1":2}}"#),
        (r#"{"byFlag":{"true":true,"false":false}}"#, "="),
        (r#"{"byText":{"":{},"k":{"a":1}}}"#, "="),
        (r#"{"byI32":{1:2}}"#, "400 malformed"),
        (r#"{"byI32":{"x":2}}"#, "400 byI32"),
        (r#"{"byI32":{"0":null}}"#, "400 byI32"),
        (r#"{"byFlag":{"yes":true}}"#, "400 byFlag"),
        (r#"{"byText":{"k":{"a":"x"}}}"#, "400 [byText.k.a]"),
        (r#"{"oneU32":0}"#, "="),
        (r#"{"oneText":""}"#, "="),
        (r#"{"oneInner":{}}"#, "="),
        (r#"{"oneColour":"RED"}"#, "="),
        (r#"{"oneNull":null}"#, "="),
        (r#"{"oneU32":null,"oneText":"a"}"#, r#"{"oneText":"a"}"#),
        (r#"{"oneText":"a","oneU32":null}"#, r#"{"oneText":"a"}"#),
        (r#"{"oneU32":1,"oneText":"a"}"#, "400 oneText"),
        (r#"{"maybe":0}"#, "="),
    ]);
}

#[test]
fn a_name_counts_once() {
    reading(&[
        (r#"{"i32":1,"i32":2}"#, "400 [i32]"),
        (r#"{"inner":{"a":1},"inner":{}}"#, "400 [inner]"),
        (r#"{"one_text":"a","oneText":"b"}"#, "400 [oneText]"),
        (r#"{"byI32":{"1":1,"1":2}}"#, "400 byI32"),
    ]);
}

#[test]
fn null_is_absence_but_for_values() {
    reading(&[
        (
            r#"{"i32":null,"text":null,"raw":null,"colour":null,"inner":null,"i32s":null,"byI32":null,"wFlag":null,"lasts":null,"at":null,"mask":null,"object":null,"list":null,"any":null,"maybe":null}"#,
            "{}",
        ),
        (r#"{"value":null}"#, "="),
        (r#"{"values":[null]}"#, "="),
        (r#"{"inner":{"a":null}}"#, r#"{"inner":{}}"#),
    ]);
}

#[test]
fn wrappers_are_what_they_wrap() {
    reading(&[
        (
            r#"{"wFlag":false,"wI32":0,"wI64":"0","wText":"","wRaw":"","wF32":0.0,"wF64":0.0}"#,
            "=",
        ),
        (
            r#"{"wFlag":true,"wI32":1,"wI64":2,"wText":"a","wRaw":"AQI","wF32":"1.5"}"#,
            r#"{"wFlag":true,"wI32":1,"wI64":"2","wText":"a","wRaw":"AQI=","wF32":1.5}"#,
        ),
        (r#"{"wI32s":[0,1]}"#, "="),
        (r#"{"wI32":{"value":1}}"#, "400 [wI32]"),
        (r#"{"wI32":"x"}"#, "400 [wI32]"),
    ]);
}

#[test]
fn times_have_one_form() {
    reading(&[
        (r#"{"lasts":"-315576000000.999999999s"}"#, "="),
        (r#"{"lasts":"1.5s"}"#, r#"{"lasts":"1.500s"}"#),
        (r#"{"lasts":"-0.5s"}"#, r#"{"lasts":"-0.500s"}"#),
        (r#"{"lasts":"-5s"}"#, "="),
        (r#"{"lasts":"1"}"#, "400 [lasts]"),
        (r#"{"lasts":"315576000001s"}"#, "400 [lasts]"),
        (r#"{"lasts":"-315576000001.000000000s"}"#, "400 [lasts]"),
        (r#"{"lasts":1}"#, "400 [lasts]"),
        (r#"{"at":"0001-01-01T00:00:00Z"}"#, "="),
        (r#"{"at":"9999-12-31T23:59:59.999999999Z"}"#, "="),
        (
            r#"{"at":"1970-01-01T00:00:00.000Z"}"#,
            r#"{"at":"1970-01-01T00:00:00Z"}"#,
        ),
        (r#"{"at":"1969-12-31T23:59:59.999999999Z"}"#, "="),
        (
            r#"{"at":"1970-01-01T08:00:01+08:00"}"#,
            r#"{"at":"1970-01-01T00:00:01Z"}"#,
        ),
        (
            r#"{"at":"1970-01-01T00:00:00-11:30"}"#,
            r#"{"at":"1970-01-01T11:30:00Z"}"#,
        ),
        (
            r#"{"at":"0001-01-01T00:00:00-00:01"}"#,
            r#"{"at":"0001-01-01T00:01:00Z"}"#,
        ),
        (r#"{"at":"2000-02-29T00:00:00Z"}"#, "="),
        (r#"{"at":"2001-02-29T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"0000-01-01T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"10000-01-01T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"0001-01-01T00:00:00"}"#, "400 [at]"),
        (r#"{"at":"0001-01-01 00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"0001-01-01T00:00:00z"}"#, "400 [at]"),
        (r#"{"at":"0001-01-01t00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T08:00:01+0800"}"#, "400 [at]"),
        (r#"{"at":"1970-13-01T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-32T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-00T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T24:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:60:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:00:60Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:00:00+24:00"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:00:00+00:60"}"#, "400 [at]"),
        (r#"{"at":"0001-01-01T00:00:00+00:01"}"#, "400 [at]"),
        (r#"{"at":"9999-12-31T23:59:59-00:01"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:00:00.1234567890Z"}"#, "400 [at]"),
        (r#"{"at":"1970-01-01T00:00:00.123aZ"}"#, "400 [at]"),
        (r#"{"at":"999-01-01T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":"1970-1-01T00:00:00Z"}"#, "400 [at]"),
        (r#"{"at":0}"#, "400 [at]"),
    ]);
}

#[test]
fn masks_values_and_objects_are_plain_json() {
    let deep = |depth: usize| format!("{{\"value\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    reading(&[
        (r#"{"mask":"foo,barBaz.quxQuux"}"#, "="),
        (r#"{"mask":""}"#, "="),
        (r#"{"mask":"foo,bar_bar"}"#, "400 [mask]"),
        (
            r#"{"object":{"null":null,"n":1234.5,"b":true,"s":"x","l":[1.0,[]],"o":{}}}"#,
            "=",
        ),
        (r#"{"object":[]}"#, "400 [object]"),
        (r#"{"list":[1.0,"a",{}]}"#, "="),
        (r#"{"list":{}}"#, "400 [list]"),
        (r#"{"value":1}"#, r#"{"value":1.0}"#),
        (r#"{"value":"hello"}"#, "="),
        (r#"{"value":{"value":1.0}}"#, "="),
        (r#"{"empty":{}}"#, "="),
        (r#"{"empty":{"a":1}}"#, "400 empty"),
        (&deep(25), &deep(25).replace('1', "1.0")),
        (&deep(200), "400"),
    ]);
}

#[test]
fn any_message_says_its_type() {
    let inner = "type.googleapis.com/test.Inner";
    let nested = format!(
        r#"{{"any":{{"@type":"type.googleapis.com/google.protobuf.Any","value":{{"@type":"{inner}","a":7}}}}}}"#
    );
    reading(&[
        (&format!(r#"{{"any":{{"@type":"{inner}","a":7}}}}"#), "="),
        (
            &format!(r#"{{"any":{{"a":7,"@type":"{inner}"}}}}"#),
            &format!(r#"{{"any":{{"@type":"{inner}","a":7}}}}"#),
        ),
        (&nested, "="),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Int32Value","value":12345}}"#,
            "=",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}}"#,
            "=",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"1970-01-01T00:00:00Z"}}"#,
            "=",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"foo":1.0}}}"#,
            "=",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Value","value":null}}"#,
            "=",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}"#,
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Empty","value":{}}}"#,
        ),
        (r#"{"any":{"@type":"","value":""}}"#, "400 [any"),
        (r#"{"any":{"@type":"not_a_url","value":""}}"#, "400 [any"),
        (r#"{"any":{"@type":"type.googleapis.com/test.Nope"}}"#, "400 [any"),
        (
            &format!(r#"{{"any":{{"@type":"{inner}","nope":7}}}}"#),
            "400 [any",
        ),
        (r#"{"any":{"a":7}}"#, "400 [any"),
    ]);
}

/// Both ways at once, where the library that the other tests look through has no form.
#[test]
fn empty_and_endless_values_come_back() {
    let catalog = actions(PROTO).unwrap();
    for (body, shown) in [
        (r#"{"any":{}}"#, r#","any":{}"#),
        (
            r#"{"wF32":"NaN","wF64":"-Infinity"}"#,
            r#","wF32":"NaN","wF64":"-Infinity""#,
        ),
        (r#"{"f64":-0.0}"#, r#","f64":-0.0,"#),
    ] {
        let request = Request::post("/c").header("content-type", "application/json");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let call = transcode(&catalog, &head, body.as_bytes()).unwrap();
        let response = transcode_reply(&call.binding, call.message.into()).unwrap();
        let response = std::str::from_utf8(&response).unwrap();
        assert!(response.contains(shown), "{body}: {response}");
    }
}
