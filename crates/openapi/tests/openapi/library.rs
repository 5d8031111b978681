//! The document of an API that has everything, held to a file and to a published validator.

use std::fs;
use std::process::Command;

use cloudstate_catalog::Catalog;
use cloudstate_protocol::names;

use crate::support;

const SERVICES: [(&str, &str); 2] = [
    (names::EVENT_SOURCED, "library.Shelf"),
    (names::ACTION, "library.Desk"),
];

fn library() -> Catalog {
    support::catalog(include_str!("library.proto"), &SERVICES)
}

#[test]
fn the_document_is_the_one_that_was_looked_at() {
    let document = cloudstate_openapi::document(&library());
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn equal_catalogs_give_equal_documents() {
    let once = cloudstate_openapi::document(&library());
    assert_eq!(once.to_json(), cloudstate_openapi::document(&library()).to_json());
}

#[test]
fn descriptors_without_comments_do_as_well() {
    let catalog = support::catalog_without_comments(include_str!("library.proto"), &SERVICES);
    let (with, without) = (support::json(&library()), support::json(&catalog));
    let put = |document: &serde_json::Value| document["paths"]["/v1/{shelf}/books"]["post"].clone();
    assert_eq!(
        put(&with)["description"],
        "Puts a book onto a shelf.\n\nA book is never put twice."
    );
    assert!(put(&without)["description"].is_null());
    assert_eq!(put(&with)["responses"], put(&without)["responses"]);
}

#[test]
fn a_published_validator_accepts_it() {
    let test = "a_published_validator_accepts_it";
    let Some(validator) = cloudstate_test_support::program(test, "openapi-spec-validator") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("openapi.json");
    for catalog in [
        library(),
        support::catalog_without_comments(include_str!("library.proto"), &SERVICES),
    ] {
        fs::write(&file, cloudstate_openapi::document(&catalog).to_json()).unwrap();
        let said = Command::new(&validator)
            .args(["--validation-errors", "all"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            said.status.success(),
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
    }
}
