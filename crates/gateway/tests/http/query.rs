//! Query parameters.

use super::*;

#[test]
fn every_kind_of_parameter_is_read() {
    run(async {
        let cases = [
            ("i32=%2B5", json!({"i32": 5})),
            ("i32=-2147483648", json!({"i32": i32::MIN})),
            ("u64=18446744073709551615", json!({"u64": "18446744073709551615"})),
            ("flag=True", json!({"flag": true})),
            ("f=1.5e3", json!({"f": 1500.0})),
            ("raw=AQI", json!({"raw": "AQI="})),
            ("raw=-_8=", json!({"raw": "+/8="})),
            ("colour=GREEN", json!({"colour": "GREEN"})),
            ("colour=1", json!({"colour": "GREEN"})),
            ("tags=", json!({"tags": [""]})),
            (
                "line.note.text=hi&line.productId=p",
                json!({"line": {"productId": "p", "note": {"text": "hi"}}}),
            ),
            ("at=2026-01-02T03:04:05Z", json!({"at": "2026-01-02T03:04:05Z"})),
            ("maybe=false", json!({"maybe": false})),
            ("cart_id=overwritten", json!({})),
            ("", json!({})),
        ];
        for (query, mut expected) in cases {
            expected["cartId"] = json!("c");
            let client = serving(move |_, request| {
                assert_eq!(request, expected);
                one("")
            });
            assert_eq!(
                get(&client.await, &format!("/find/c?{query}")).await.status,
                200,
                "{query}"
            );
        }
    });
}

#[test]
fn bad_parameters_are_named() {
    run(async {
        let client = refusing().await;
        for (query, field, why) in [
            ("nope=1", "nope", "no field"),
            ("i32=1&i32=2", "i32", "one value"),
            ("i32=", "i32", "whole number from -2147483648 to 2147483647"),
            ("i32=2147483648", "i32", "whole number"),
            ("i32=1.5", "i32", "whole number"),
            ("u64=-1", "u64", "whole number from 0"),
            ("flag=yes", "flag", "true or false"),
            ("f=1e60", "f", "out of range"),
            ("f=x", "f", "a number"),
            ("raw=%3F", "raw", "base64"),
            ("colour=BLUE", "colour", "shop.Colour"),
            ("line=x", "line", "shop.Line"),
            ("line.nope=x", "line.nope", "no field"),
            ("map=x", "map", "map"),
            ("at=noon", "at", ""),
            ("tags.x=1", "tags.x", "no field"),
        ] {
            let answer = get(&client, &format!("/find/c?{query}")).await;
            let message = error(&answer, 400, Code::InvalidArgument);
            assert!(
                message.contains(&format!("[{field}]")) && message.contains(why),
                "{query}: {message}"
            );
            assert_eq!(
                json_of(&answer)["details"][0]["fieldViolations"][0]["field"],
                field,
                "{query}"
            );
        }
        for path in ["/find/c?i32=%zz", "/find/%zz", "/find/%FF"] {
            error(&get(&client, path).await, 400, Code::InvalidArgument);
        }
    });
}
