//! JSON that is refused.

use super::*;

#[test]
fn bad_json_is_named_with_field_and_position() {
    run(async {
        let client = refusing().await;
        for (body, field, position) in [
            ("{\"nope\": 1}", "nope", "line 1, column 7"),
            (
                "{\"line\":\n {\"quantity\": 1.5}}",
                "line.quantity",
                "line 2, column 17",
            ),
            (
                "{\"line\": {\"quantity\": 2147483648}}",
                "line.quantity",
                "line 1, column 32",
            ),
            ("{\"line\": {\"quantity\": \"x\"}}", "line.quantity", "line 1"),
            ("{\"line\": {\"colour\": \"BLUE\"}}", "line.colour", "line 1"),
            (
                "{\"lines\": [{}, {\"note\": {\"texts\": 1}}]}",
                "lines[1].note.texts",
                "line 1",
            ),
            ("{\"count\": -1}", "count", "line 1"),
            ("{\"gift\": \"yes\"}", "gift", "line 1"),
            ("{\"token\": \"?\"}", "token", "line 1"),
            ("{\"prices\": {\"a\": \"x\"}}", "prices.a", "line 1"),
            ("{\"at\": \"noon\"}", "at", "line 1"),
            ("{\"tags\": \"x\"}", "tags", "line 1"),
        ] {
            let answer = send(&client, "POST", "/carts/c/items", body).await;
            let message = error(&answer, 400, Code::InvalidArgument);
            assert!(
                message.contains(&format!("[{field}]")) && message.contains(position),
                "{body}: {message}"
            );
        }
        // In a body field the path is that of the whole request.
        let answer = send(&client, "POST", "/carts/c/lines", "{\"quantity\": []}").await;
        assert!(error(&answer, 400, Code::InvalidArgument).contains("[line.quantity]"));
        for body in [
            "",
            " ",
            "{",
            "{]",
            "[]",
            "null",
            "{} x",
            "{\"gift\": tru}",
            "\u{feff}{}",
            "{\"cart_id\": \"\\ud800\"}",
        ] {
            let answer = send(&client, "POST", "/carts/c/items", body).await;
            error(&answer, 400, Code::InvalidArgument);
        }
        let deep = ["{\"lines\":[".repeat(200), "]}".repeat(200)].concat();
        error(
            &send(&client, "POST", "/carts/c/items", &deep).await,
            400,
            Code::InvalidArgument,
        );
    });
}
