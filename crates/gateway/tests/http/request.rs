//! From requests to the messages that the function gets.

use super::*;

#[test]
fn a_whole_body_and_path_variables_make_the_request() {
    run(async {
        let client = serving(|method, request| {
            assert_eq!(method, "AddItem");
            assert_eq!(request, json!({"cartId": "c 1", "line": {"productId": "p", "quantity": 3}, "total": "9007199254740993"}));
            one("")
        })
        .await;
        let body =
            r#"{"cartId":"ignored","line":{"product_id":"p","quantity":"3"},"total":9007199254740993}"#;
        let answer = send(&client, "POST", "/carts/c%201/items", body).await;
        assert_eq!((answer.status.as_u16(), json_of(&answer)), (200, json!({})));
    });
}

#[test]
fn a_body_field_leaves_the_rest_to_path_and_query() {
    run(async {
        let client = serving(|_, request| {
            assert_eq!(
                request,
                json!({"cartId": "c", "line": {"productId": "p"}, "tags": ["x", "y z"], "gift": true})
            );
            one("")
        })
        .await;
        let path = "/carts/c/lines?tags=x&tags=y+z&gift=TRUE&line.quantity=7";
        assert_eq!(
            send(&client, "POST", path, r#"{"productId":"p"}"#).await.status,
            200
        );
    });
}

#[test]
fn nested_path_variables_need_no_body() {
    run(async {
        let client = serving(|_, request| {
            assert_eq!(
                request,
                json!({"cartId": "c", "line": {"productId": "a/b", "colour": "GREEN"}})
            );
            one("")
        })
        .await;
        let answer = client
            .send(
                client.request("PUT", "/carts/c/items/a%2Fb?line.colour=GREEN"),
                &[],
            )
            .await;
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn methods_without_a_rule_are_posted_to_by_name() {
    run(async {
        let client = serving(|method, request| {
            assert_eq!((method, request), ("Plain", json!({"cartId": "c"})));
            one(encode("shop.Contents", &json!({"cartId": "c"})))
        })
        .await;
        let answer = send(&client, "POST", "/shop.Cart/Plain", r#"{"cartId":"c"}"#).await;
        // Default values are shown, integers of 64 bits are text.
        assert_eq!(answer.body, r#"{"cartId":"c","lines":[],"version":"0"}"#);
        assert_eq!(
            send(&client, "POST", "/shop.Cart/GetCart", "{}").await.status,
            404,
            "it has a rule"
        );
    });
}

#[test]
fn only_json_in_utf_8_is_understood() {
    run(async {
        let client = serving(|_, _| one("")).await;
        for (name, value, status) in [
            ("content-type", "application/json", 200),
            ("content-type", "Application/JSON; charset=UTF-8", 200),
            ("content-type", "application/json; charset=\"utf-8\"", 200),
            ("content-type", "application/json; charset=latin1", 415),
            ("content-type", "text/plain", 415),
            ("content-type", "application/grpc", 200),
            ("x-none", "", 415),
        ] {
            let request = client.request("POST", "/carts/c/items").header(name, value);
            let status = if value == "application/grpc" { 200 } else { status };
            assert_eq!(
                client.send(request, &["{}".into()]).await.status,
                status,
                "{value}"
            );
        }
        let request = client
            .request("POST", "/carts/c/items")
            .header("content-type", "application/json");
        let answer = client
            .send(request.header("content-encoding", "gzip"), &["{}".into()])
            .await;
        error(&answer, 415, Code::InvalidArgument);
        assert_eq!(
            get(&client, "/carts/c").await.status,
            200,
            "without a body no content type is needed"
        );
    });
}

#[test]
fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    run(async {
        let options = Options {
            max_request_bytes: 100,
            ..Options::default()
        };
        let client = connect(serve(Script::new(|_| async { one("") }), options).await.port).await;
        let body = format!("{{\"cartId\":\"{}\"}}", "x".repeat(100));
        let message = error(
            &send(&client, "POST", "/carts/c/items", &body).await,
            413,
            Code::ResourceExhausted,
        );
        assert!(message.contains("100 bytes"), "{message}");
        let request = client
            .request("POST", "/carts/c/items")
            .header("content-type", "application/json");
        let answer = client
            .send(request.header("content-length", "113"), &[Bytes::from(body)])
            .await;
        let message = error(&answer, 413, Code::ResourceExhausted);
        assert!(message.contains("113 bytes"), "{message}");
    });
}
