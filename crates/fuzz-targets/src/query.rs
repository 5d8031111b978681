//! Query strings.

use cloudstate_gateway::{parse_query, transcode_reply};
use http::Uri;

use crate::api::{CATALOG, meaning, post, send};

/// Reads a text as the query of a `GET` request of every shape of fields. What is accepted becomes the same message by way of
/// JSON.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    check_decoding(text);
    let Ok(uri) = format!("/query?{text}").parse::<Uri>() else {
        return;
    };
    let call = match send("GET", uri, b"") {
        Ok(call) => call,
        Err(refused) => return assert_eq!(refused.status, 400, "{refused}"),
    };
    let of = call.binding.method.input();
    let sent = meaning(of.clone(), &call.message);
    let json = transcode_reply(&call.binding, call.message.into()).expect("what was read has a JSON form");
    let bindings = CATALOG.http_bindings();
    let binding = bindings
        .iter()
        .find(|binding| binding.template.to_string() == "/8");
    let again = post(binding.unwrap(), &json).unwrap_or_else(|refused| panic!("{refused}\n{json:?}"));
    assert_eq!(meaning(of, &again.message), sent, "{json:?}");
}

/// Names and values survive being encoded and read again; what is refused is one of the parameters.
fn check_decoding(text: &str) {
    match parse_query(text) {
        Ok(parameters) => {
            let encoded: Vec<String> = parameters
                .iter()
                .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                .collect();
            assert_eq!(parse_query(&encoded.join("&")).unwrap(), parameters);
        }
        Err(parameter) => assert!(text.split('&').any(|part| part == parameter)),
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
