//! Fields from the text of queries and paths (11.4), of every type that has a text.

use super::check;

const PROTO: &str = r#"
    enum Colour { RED = 0; GREEN = 1; LIME = -2; }
    message Line { string product_id = 1; int32 quantity = 2; Colour colour = 3; Line next = 4; }
    message Request {
      double f64 = 1; float f32 = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6; sint32 s32 = 7;
      sint64 s64 = 8; fixed32 x32 = 9; fixed64 x64 = 10; sfixed32 sx32 = 11; sfixed64 sx64 = 12; bool flag = 13;
      string text = 14; bytes raw = 15; Colour colour = 16;
      repeated int32 numbers = 17; repeated Colour colours = 18; repeated string some_texts = 19;
      Line line = 20; repeated Line lines = 21; map<string, string> pairs = 22;
      google.protobuf.Timestamp at = 23; google.protobuf.Duration lasts = 24; google.protobuf.FieldMask mask = 25;
      google.protobuf.BoolValue w_bool = 26; google.protobuf.StringValue w_string = 27;
      google.protobuf.BytesValue w_bytes = 28; google.protobuf.Int32Value w_i32 = 29;
      google.protobuf.Int64Value w_i64 = 30; google.protobuf.UInt32Value w_u32 = 31;
      google.protobuf.UInt64Value w_u64 = 32; google.protobuf.FloatValue w_f32 = 33;
      google.protobuf.DoubleValue w_f64 = 34;
      repeated google.protobuf.Timestamp times = 35; repeated google.protobuf.Int32Value w_numbers = 36;
      google.protobuf.Value value = 37; google.protobuf.Struct object = 38; google.protobuf.ListValue list = 39;
      google.protobuf.Any any = 40; google.protobuf.Empty empty = 41;
      oneof side { string left = 42; Line right = 43; }
      optional int32 maybe = 44;
      int32 renamed = 45 [json_name = "otherName"];
    }
    service Service {
      rpc Q(Request) returns (Request) { option (google.api.http).get = "/q"; }
      rpc F64(Request) returns (Request) { option (google.api.http).get = "/f64/{f64}"; }
      rpc I32(Request) returns (Request) { option (google.api.http).get = "/i32/{i32}"; }
      rpc U64(Request) returns (Request) { option (google.api.http).get = "/u64/{u64}"; }
      rpc S64(Request) returns (Request) { option (google.api.http).get = "/s64/{s64}"; }
      rpc Flag(Request) returns (Request) { option (google.api.http).get = "/flag/{flag}"; }
      rpc Raw(Request) returns (Request) { option (google.api.http).get = "/raw/{raw}"; }
      rpc Colour(Request) returns (Request) { option (google.api.http).get = "/colour/{line.next.colour}"; }
      rpc Left(Request) returns (Request) { option (google.api.http).get = "/left/{left}"; }
      rpc Maybe(Request) returns (Request) { option (google.api.http).get = "/maybe/{maybe}"; }
    }
"#;

#[test]
fn every_scalar_is_read() {
    check(
        PROTO,
        &[
            (
                "GET /q?f64=1.5e3&f32=-0.25",
                "",
                r#"Q {"f64":1500.0,"f32":-0.25}"#,
            ),
            (
                "GET /q?f64=NaN&f32=-Infinity",
                "",
                r#"Q {"f64":"NaN","f32":"-Infinity"}"#,
            ),
            ("GET /q?f64=Infinity", "", r#"Q {"f64":"Infinity"}"#),
            (
                "GET /q?i32=-2147483648&s32=2147483647",
                "",
                r#"Q {"i32":-2147483648,"s32":2147483647}"#,
            ),
            ("GET /q?i32=%2B5&sx32=-1", "", r#"Q {"i32":5,"sx32":-1}"#),
            (
                "GET /q?i64=-9223372036854775808",
                "",
                r#"Q {"i64":"-9223372036854775808"}"#,
            ),
            (
                "GET /q?s64=9223372036854775807&sx64=-7",
                "",
                r#"Q {"s64":"9223372036854775807","sx64":"-7"}"#,
            ),
            (
                "GET /q?u32=4294967295&x32=7",
                "",
                r#"Q {"u32":4294967295,"x32":7}"#,
            ),
            (
                "GET /q?u64=18446744073709551615&x64=7",
                "",
                r#"Q {"u64":"18446744073709551615","x64":"7"}"#,
            ),
            ("GET /q?flag=TRUE", "", r#"Q {"flag":true}"#),
            (
                "GET /q?text=a%20b+c%2B%26=%C3%BC",
                "",
                r#"Q {"text":"a b c+&=ü"}"#,
            ),
            ("GET /q?raw=-_8", "", r#"Q {"raw":"+/8="}"#),
            ("GET /q?raw=%2B%2F8=", "", r#"Q {"raw":"+/8="}"#),
            ("GET /q?raw=", "", "Q {}"),
            ("GET /q?colour=GREEN", "", r#"Q {"colour":"GREEN"}"#),
            ("GET /q?colour=-2", "", r#"Q {"colour":"LIME"}"#),
            ("GET /q?colour=77", "", r#"Q {"colour":77}"#),
            ("GET /q?maybe=0", "", r#"Q {"maybe":0}"#),
            ("GET /q", "", "Q {}"),
            ("GET /q?", "", "Q {}"),
            ("GET /q?&&", "", "Q {}"),
        ],
    );
}

#[test]
fn path_variables_are_read_alike() {
    check(
        PROTO,
        &[
            ("GET /f64/-1e-3", "", r#"F64 {"f64":-0.001}"#),
            ("GET /i32/-5", "", r#"I32 {"i32":-5}"#),
            ("GET /i32/5?i32=6", "", r#"I32 {"i32":5}"#),
            (
                "GET /u64/18446744073709551615",
                "",
                r#"U64 {"u64":"18446744073709551615"}"#,
            ),
            ("GET /s64/-1", "", r#"S64 {"s64":"-1"}"#),
            ("GET /flag/False", "", "Flag {}"),
            ("GET /raw/-_8%3D", "", r#"Raw {"raw":"+/8="}"#),
            (
                "GET /colour/GREEN",
                "",
                r#"Colour {"line":{"next":{"colour":"GREEN"}}}"#,
            ),
            (
                "GET /colour/1?line.quantity=2",
                "",
                r#"Colour {"line":{"quantity":2,"next":{"colour":"GREEN"}}}"#,
            ),
            ("GET /maybe/0", "", r#"Maybe {"maybe":0}"#),
            ("GET /left/a?right.quantity=1", "", r#"Left {"left":"a"}"#),
            (
                "GET /i32/x",
                "",
                "400 field [i32]: [x] in the path: expected a whole number from -2147483648 to 2147483647",
            ),
            (
                "GET /u64/-1",
                "",
                "400 field [u64]: [-1] in the path: expected a whole number from 0",
            ),
            ("GET /flag/1", "", "400 [flag]"),
            ("GET /raw/%3F", "", "400 [raw]"),
            (
                "GET /colour/BLUE",
                "",
                "400 field [line.next.colour]: [BLUE] in the path: no value of the enum test.Colour",
            ),
            ("GET /f64/one", "", "400 [f64]"),
        ],
    );
}

#[test]
fn fields_are_named_in_both_forms_and_by_dots() {
    check(
        PROTO,
        &[
            ("GET /q?line.product_id=p", "", r#"Q {"line":{"productId":"p"}}"#),
            ("GET /q?line.productId=p", "", r#"Q {"line":{"productId":"p"}}"#),
            (
                "GET /q?someTexts=a&some_texts=b",
                "",
                r#"Q {"someTexts":["a","b"]}"#,
            ),
            ("GET /q?otherName=7", "", r#"Q {"otherName":7}"#),
            ("GET /q?renamed=7", "", r#"Q {"otherName":7}"#),
            (
                "GET /q?line.next.next.quantity=1&line.quantity=2",
                "",
                r#"Q {"line":{"quantity":2,"next":{"next":{"quantity":1}}}}"#,
            ),
            ("GET /q?l%69ne.quantity=1", "", r#"Q {"line":{"quantity":1}}"#),
            ("GET /q?at.seconds=1", "", r#"Q {"at":"1970-01-01T00:00:01Z"}"#),
            (
                "GET /q?at=1970-01-01T00:00:01Z&at.nanos=5",
                "",
                r#"Q {"at":"1970-01-01T00:00:01.000000005Z"}"#,
            ),
        ],
    );
}

#[test]
fn repeated_fields_are_given_one_by_one_in_order() {
    check(
        PROTO,
        &[
            (
                "GET /q?numbers=3&text=x&numbers=-1&numbers=3",
                "",
                r#"Q {"numbers":[3,-1,3],"text":"x"}"#,
            ),
            (
                "GET /q?colours=GREEN&colours=0",
                "",
                r#"Q {"colours":["GREEN","RED"]}"#,
            ),
            (
                "GET /q?times=1970-01-01T00:00:00Z",
                "",
                r#"Q {"times":["1970-01-01T00:00:00Z"]}"#,
            ),
            ("GET /q?w_numbers=1&w_numbers=0", "", r#"Q {"wNumbers":[1,0]}"#),
            ("GET /q?some_texts=", "", r#"Q {"someTexts":[""]}"#),
            ("GET /q?some_texts=a,b", "", r#"Q {"someTexts":["a,b"]}"#),
        ],
    );
}

#[test]
fn well_known_types_have_their_text() {
    check(
        PROTO,
        &[
            (
                "GET /q?at=2026-01-02T03:04:05.5%2B01:00",
                "",
                r#"Q {"at":"2026-01-02T02:04:05.500Z"}"#,
            ),
            ("GET /q?lasts=-1.5s", "", r#"Q {"lasts":"-1.500s"}"#),
            (
                "GET /q?mask=line.productId,text",
                "",
                r#"Q {"mask":"line.productId,text"}"#,
            ),
            ("GET /q?w_bool=false", "", r#"Q {"wBool":false}"#),
            ("GET /q?wString=", "", r#"Q {"wString":""}"#),
            ("GET /q?w_bytes=AQI", "", r#"Q {"wBytes":"AQI="}"#),
            (
                "GET /q?w_i32=-1&w_i64=-2&w_u32=3&w_u64=4",
                "",
                r#"Q {"wI32":-1,"wI64":"-2","wU32":3,"wU64":"4"}"#,
            ),
            (
                "GET /q?w_f32=0.5&w_f64=1e300",
                "",
                r#"Q {"wF32":0.5,"wF64":1e300}"#,
            ),
            ("GET /q?w_i32.value=7", "", r#"Q {"wI32":7}"#),
            (
                "GET /q?value=%5B1,%22a%22,null%5D",
                "",
                r#"Q {"value":[1.0,"a",null]}"#,
            ),
            (
                "GET /q?object=%7B%22a%22:true%7D",
                "",
                r#"Q {"object":{"a":true}}"#,
            ),
            ("GET /q?list=%5B%5D", "", r#"Q {"list":[]}"#),
        ],
    );
}

#[test]
fn what_does_not_fit_is_named() {
    check(
        PROTO,
        &[
            (
                "GET /q?nope=1",
                "",
                "400 field [nope]: no field of the request has this name",
            ),
            ("GET /q?=1", "", "400 a query parameter has no name"),
            ("GET /q?line.nope=1", "", "400 field [line.nope]: no field"),
            ("GET /q?text.x=1", "", "400 field [text.x]: no field"),
            ("GET /q?some_texts.x=1", "", "400 field [some_texts.x]: no field"),
            ("GET /q?i32=", "", "400 field [i32]: []: expected a whole number"),
            ("GET /q?i32=1.0", "", "400 [i32]"),
            ("GET /q?i32=2147483648", "", "400 [i32]"),
            (
                "GET /q?u32=-1",
                "",
                "400 field [u32]: [-1]: expected a whole number from 0 to 4294967295",
            ),
            ("GET /q?u64=18446744073709551616", "", "400 [u64]"),
            ("GET /q?f32=1e39", "", "400 field [f32]: [1e39]: out of range"),
            ("GET /q?f64=1e999", "", "400 field [f64]: [1e999]: out of range"),
            (
                "GET /q?f64=inf",
                "",
                "400 field [f64]: [inf]: expected a number, NaN",
            ),
            ("GET /q?f64=nan", "", "400 [f64]"),
            ("GET /q?f64=", "", "400 [f64]"),
            (
                "GET /q?flag=yes",
                "",
                "400 field [flag]: [yes]: expected true or false",
            ),
            ("GET /q?raw=%3F%3F", "", "400 field [raw]: [??]: expected base64"),
            ("GET /q?colour=green", "", "400 [colour]"),
            ("GET /q?numbers=1&numbers=x", "", "400 field [numbers]: [x]"),
            (
                "GET /q?i32=1&i32=1",
                "",
                "400 field [i32]: the field takes one value, but several are given",
            ),
            (
                "GET /q?line.product_id=1&line.productId=1",
                "",
                "400 [line.productId]",
            ),
            (
                "GET /q?left=a&right.quantity=1",
                "",
                "400 field [right.quantity]: of the oneof [side] only one member can be given, but [left] is too",
            ),
            ("GET /q?pairs=x", "", "400 field [pairs]: a map cannot be given"),
            ("GET /q?pairs.a=x", "", "400 field [pairs.a]: no field"),
            (
                "GET /q?line=x",
                "",
                "400 field [line]: [x]: it is a message of type test.Line",
            ),
            ("GET /q?lines=x", "", "400 [lines]"),
            ("GET /q?any=x", "", "400 [any]"),
            ("GET /q?empty=x", "", "400 [empty]"),
            (
                "GET /q?at=noon",
                "",
                "400 field [at]: [noon]: expected a time such as 2006-01-02T15:04:05Z",
            ),
            ("GET /q?at=2016-12-31T23:59:60Z", "", "400 [at]"),
            ("GET /q?lasts=1", "", "400 [lasts]"),
            (
                "GET /q?at.seconds=1&at.nanos=-1",
                "",
                "400 field [at]: the nanoseconds are not from 0 to 999,999,999",
            ),
            (
                "GET /q?line.next.quantity=1&lasts.seconds=1&lasts.nanos=-1",
                "",
                "400 field [lasts]: seconds and nanoseconds have different signs",
            ),
            ("GET /q?mask.paths=a__b", "", "400 [mask]"),
            ("GET /q?value.number_value=NaN", "", "400 [value]"),
            ("GET /q?any.type_url=x/no.Such", "", "400 [any]"),
            ("GET /q?mask=a_b", "", "400 [mask]"),
            ("GET /q?w_i32=x", "", "400 [w_i32]"),
            ("GET /q?value=x", "", "400 field [value]: [x]: expected JSON"),
            ("GET /q?object=%5B%5D", "", "400 [object]"),
            (
                "GET /q?text=%zz",
                "",
                "400 the query parameter [text=%zz] is not correctly percent-encoded",
            ),
            (
                "GET /q?text=%FF",
                "",
                "400 the query parameter [text=%FF] is not correctly percent-encoded",
            ),
        ],
    );
}

#[test]
fn parameters_reach_as_deep_as_messages_can_be_read() {
    let at_depth = |depth: usize| format!("GET /q?line{}.quantity=1", ".next".repeat(depth - 2));
    let mut deepest = "{\"quantity\":1}".to_owned();
    for _ in 0..97 {
        deepest = format!("{{\"next\":{deepest}}}");
    }
    check(
        PROTO,
        &[
            (&at_depth(99), "", &format!("Q {{\"line\":{deepest}}}")),
            (&at_depth(101), "", "400 it reaches more than 100 messages deep"),
            (&at_depth(5000), "", "400 it reaches more than 100 messages deep"),
        ],
    );
}
