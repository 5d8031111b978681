//! Streamed replies.

use super::*;

#[test]
fn streamed_replies_are_lines() {
    run(async {
        let text = |text: &str| Ok(reply(encode("shop.Text", &json!({"text": text}))));
        let client = serving(move |method, _| match method {
            "Out" => stream(vec![text("a"), text("")]),
            _ => {
                let data = |data: &str| Ok(reply(encode("google.api.HttpBody", &json!({"data": data}))));
                stream(vec![data("YQ=="), data("Yg==")])
            }
        })
        .await;
        let answer = send(&client, "POST", "/shop.Streams/Out", "{}").await;
        assert_eq!(
            (json_lines(&answer), answer.status.as_u16()),
            (vec![json!({"text": "a"}), json!({"text": ""})], 200)
        );
        let answer = send(&client, "POST", "/shop.Streams/Download", "{}").await;
        assert_eq!(
            (&answer.headers["content-type"], &answer.body[..]),
            (&"application/octet-stream".parse().unwrap(), &b"ab"[..])
        );
        assert_eq!(
            send(&client, "POST", "/shop.Streams/Both", r#"{"text":"x"}"#)
                .await
                .status,
            200
        );
    });
}

fn json_lines(answer: &Answer) -> Vec<Value> {
    std::str::from_utf8(&answer.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_stream_that_fails_at_once_has_a_status_of_its_own() {
    run(async {
        let at_once = || Err(CallError::InvalidRequest("no".into()));
        let client = serving(move |_, _| stream(vec![at_once()])).await;
        error(
            &send(&client, "POST", "/shop.Streams/Out", "{}").await,
            400,
            Code::InvalidArgument,
        );
    });
}
