use super::*;

/// Compiles one file and returns the generated code.
fn compile_text(text: &str) -> Result<String, Error> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.proto");
    std::fs::write(&file, text).unwrap();
    compile_to(&[&file], &[directory.path()], directory.path())?;
    Ok(std::fs::read_to_string(directory.path().join("cloudstate.rs")).unwrap())
}

#[test]
fn comments_become_documentation() {
    let code = compile_text(
        r#"syntax = "proto3"; package a.b;
           // Keeps things.
           service Keeper {
             // Keeps one thing.
             rpc Keep(Thing) returns (Thing);
           }
           // A thing.
           message Thing { string id = 1; }"#,
    )
    .unwrap();
    for comment in ["/// Keeps things.", "/// Keeps one thing.", "/// A thing."] {
        assert!(code.contains(comment), "no {comment:?} in {code}");
    }
    assert!(
        code.contains("pub mod a {\n") && code.contains("pub mod b {\n") && code.contains("pub mod keeper {")
    );
}

#[test]
fn what_a_service_can_be_depends_on_what_it_streams() {
    let code = compile_text(
        r#"syntax = "proto3"; package a; message Thing {}
           service Plain { rpc One(Thing) returns (Thing); }
           service StreamsOut { rpc Many(Thing) returns (stream Thing); }
           service TakesMany { rpc Many(stream Thing) returns (Thing); }"#,
    )
    .unwrap();
    let (plain, streamed) = code.split_at(code.find("pub mod streams_out").unwrap());
    let (streams_out, takes_many) = streamed.split_at(streamed.find("pub mod takes_many").unwrap());
    let traits = |code: &str| {
        let all = ["EventSourcedEntity", "ValueEntity", "CrdtEntity", "Action"];
        all.map(|name| code.contains(&format!("pub trait {name}:")))
    };
    assert_eq!(traits(plain), [true; 4]);
    assert_eq!(traits(streams_out), [false, false, true, true]);
    assert_eq!(traits(takes_many), [false, false, false, true]);
    assert!(plain.contains("state: &mut Self::State"));
    assert!(streams_out.contains("::cloudstate_sdk::crdt::Streamed<Self::State, super::Thing>"));
}

#[test]
fn packages_below_cloudstate_belong_to_the_author() {
    let code =
        compile_text(r#"syntax = "proto3"; package cloudstate.samples; message Thing { string id = 1; }"#);
    assert!(code.unwrap().contains("pub struct Thing"));
}

#[test]
fn protocol_types_come_from_the_sdk() {
    let code = compile_text(
        r#"syntax = "proto3"; package a;
           import "cloudstate/entity.proto"; import "google/api/httpbody.proto"; import "google/protobuf/any.proto";
           message Thing { google.api.HttpBody page = 1; google.protobuf.Any any = 2; cloudstate.Metadata it = 3; }"#,
    )
    .unwrap();
    assert!(
        code.contains("::cloudstate_sdk::protocol::google::api::HttpBody"),
        "{code}"
    );
    assert!(code.contains("::cloudstate_sdk::protocol::Any"), "{code}");
    assert!(code.contains("::cloudstate_sdk::protocol::Metadata"), "{code}");
    for known in [
        "struct HttpBody",
        "mod entity_discovery",
        "pub mod google",
        "pub mod cloudstate",
    ] {
        assert!(!code.contains(known), "{known} in {code}");
    }
}

#[test]
fn an_error_names_file_and_place() {
    let error = compile_text("syntax = \"proto3\";\nmessage Thing { strin id = 1; }").unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("test.proto") && text.contains("strin"), "{text}");
}
