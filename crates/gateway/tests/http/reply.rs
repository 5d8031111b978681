//! Replies as clients see them.

use super::*;

#[test]
fn a_field_of_the_reply_can_be_the_response() {
    run(async {
        let contents = json!({"cartId": "c", "version": "9007199254740993", "lines": [{"productId": "p<", "quantity": 7}]});
        let client = serving(move |_, _| one(encode("shop.Contents", &contents))).await;
        let lines = r#"[{"productId":"p<","quantity":7,"colour":"RED"}]"#;
        assert_eq!(get(&client, "/carts/c/lines").await.body, lines);
        assert_eq!(
            get(&client, "/carts/c/version").await.body,
            r#""9007199254740993""#
        );
    });
}

#[test]
fn http_bodies_pass_raw_both_ways() {
    run(async {
        let client = serving(|method, request| match method {
            "Upload" => {
                assert_eq!(request, json!({"contentType": "image/png", "data": "/wA="}));
                one("")
            }
            _ => {
                assert_eq!(request, json!({"text": "a/b"}));
                one(encode(
                    "google.api.HttpBody",
                    &json!({"contentType": "text/html", "data": "PGI+"}),
                ))
            }
        })
        .await;
        let answer = get(&client, "/pages/a/b").await;
        assert_eq!(
            (&answer.headers["content-type"], &answer.body[..]),
            (&"text/html".parse().unwrap(), &b"<b>"[..])
        );
        let request = client
            .request("POST", "/upload")
            .header("content-type", "image/png");
        assert_eq!(
            client
                .send(request, &[Bytes::from_static(b"\xff\0")])
                .await
                .status,
            200
        );
    });
}

#[test]
fn a_malformed_content_type_of_a_reply_is_an_error_of_the_function() {
    run(async {
        let client = serving(|_, _| {
            one(encode(
                "google.api.HttpBody",
                &json!({"contentType": "a\r\nb: c"}),
            ))
        })
        .await;
        error(&get(&client, "/pages/a").await, 500, Code::Internal);
    });
}

#[test]
fn a_reply_without_message_is_no_content() {
    run(async {
        let client = serving(|_, _| Ok(Replies::None)).await;
        let answer = get(&client, "/carts/c").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    });
}

#[test]
fn a_reply_that_is_no_valid_message_is_the_functions_fault() {
    run(async {
        let client = serving(|_, _| one(&b"\xff"[..])).await;
        error(&get(&client, "/carts/c").await, 500, Code::Internal);
    });
}

#[test]
fn reply_metadata_becomes_headers_and_cannot_inject_any() {
    run(async {
        let metadata: Metadata = [("X-Tag", "a"), ("content-type", "text/html"), ("x", "a\r\nb: c")]
            .into_iter()
            .collect();
        let client = serving(move |_, _| {
            Ok(Replies::One(Reply {
                payload: Some("".into()),
                metadata: metadata.clone(),
            }))
        });
        let answer = get(&client.await, "/carts/c").await;
        assert_eq!(
            (&answer.headers["x-tag"], &answer.headers["content-type"]),
            (&"a".parse().unwrap(), &"application/json".parse().unwrap())
        );
        assert!(!answer.headers.contains_key("x") && !answer.headers.contains_key("b"));
    });
}

#[test]
fn head_is_get_without_the_body() {
    run(async {
        let client = serving(|_, _| one("")).await;
        let answer = client.send(client.request("HEAD", "/carts/c"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(answer.headers["content-length"], "38");
    });
}
