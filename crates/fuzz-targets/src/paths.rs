//! HTTP rules and the paths of requests.

mod model;

use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_catalog::http::{HttpBinding, PathTemplate, Route};
use cloudstate_catalog::{Catalog, CatalogOptions};
use cloudstate_protocol::google::api::http_rule::Pattern;
use cloudstate_protocol::google::api::{CustomHttpPattern, HttpRule};
use cloudstate_protocol::{Entity, names};
use prost::Message;

use crate::api;
use crate::mirror::{File, FileSet, Method, MethodOptions, Service};

/// More lines make runs slow without reaching more.
const LINES_MAX: usize = 24;

static MESSAGES: LazyLock<Bytes> = LazyLock::new(|| {
    let text = r#"syntax = "proto3"; package fuzz;
        enum Colour { RED = 0; GREEN = 1; }
        message Book { string name = 1; int32 pages = 2; Book sequel = 3; Colour colour = 4; repeated Book books = 5; }
        message Request {
          string id = 1; Book book = 2; repeated string tags = 3; map<string, int32> prices = 4; int64 number = 5;
          bytes raw = 6; oneof side { string left = 7; Book right = 8; }
        }"#;
    api::compile("messages.proto", text)
});

/// Lines of text, each a rule, `GET /template [body [response_body]]`, a further binding of the rule before, `+GET …`, or a
/// request, `?GET /path`. Rules are accepted or refused; each request finds the binding that a plain matcher finds.
pub fn path_template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut rules: Vec<HttpRule> = Vec::new();
    let mut requests = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        if let Some(request) = line.strip_prefix('?') {
            requests.push(request.split_once(' ').unwrap_or(("GET", request)));
        } else if let Some((further, to)) = line.strip_prefix('+').zip(rules.last_mut()) {
            to.additional_bindings.push(rule(further));
        } else {
            rules.push(rule(line));
        }
    }
    let catalog = match build(rules) {
        Ok(catalog) => catalog,
        Err(refusal) => return assert!(refusal.contains("fuzz.S"), "{refusal}"),
    };
    drop(serde_json::to_vec(&cloudstate_openapi::document(&catalog)).unwrap());
    for (method, path) in requests {
        check(&catalog, method, path);
    }
}

fn rule(line: &str) -> HttpRule {
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    check_template(path);
    let path = path.to_owned();
    HttpRule {
        selector: String::new(),
        body: words.next().unwrap_or_default().to_owned(),
        response_body: words.next().unwrap_or_default().to_owned(),
        additional_bindings: Vec::new(),
        pattern: Some(match method {
            "GET" => Pattern::Get(path),
            "PUT" => Pattern::Put(path),
            "POST" => Pattern::Post(path),
            "DELETE" => Pattern::Delete(path),
            "PATCH" => Pattern::Patch(path),
            kind => Pattern::Custom(CustomHttpPattern {
                kind: kind.to_owned(),
                path,
            }),
        }),
    }
}

/// A template is what it was parsed from; a mistake has a place in it.
fn check_template(text: &str) {
    match PathTemplate::parse(text) {
        Ok(template) => {
            assert_eq!(template.to_string(), text);
            assert_eq!(template.variables().count(), template.captures().count());
        }
        Err(error) => {
            assert!(
                (1..=text.chars().count() + 1).contains(&error.column),
                "{error:?}"
            );
            assert!(!error.to_string().is_empty() && !error.fix.is_empty());
        }
    }
}

fn build(rules: Vec<HttpRule>) -> Result<Catalog, String> {
    let methods = rules.into_iter().enumerate().map(|(at, rule)| Method {
        name: Some(format!("M{at}")),
        input_type: Some(".fuzz.Request".to_owned()),
        output_type: Some(".fuzz.Request".to_owned()),
        options: Some(MethodOptions {
            http: Some(rule),
            ..MethodOptions::default()
        }),
        ..Method::default()
    });
    let service = Service {
        name: Some("S".to_owned()),
        method: methods.collect(),
    };
    let file = File {
        name: Some("service.proto".to_owned()),
        package: Some("fuzz".to_owned()),
        dependency: vec!["messages.proto".to_owned()],
        syntax: Some("proto3".to_owned()),
        service: vec![service],
        ..File::default()
    };
    // Sets of files merge when one follows the other.
    let mut set = MESSAGES.to_vec();
    FileSet { files: vec![file] }.encode(&mut set).unwrap();
    let entity = Entity {
        entity_type: names::ACTION.to_owned(),
        service_name: "fuzz.S".to_owned(),
        ..Entity::default()
    };
    let built = Catalog::build(&api::spec(set.into(), vec![entity]), &CatalogOptions::default());
    built
        .map(|(catalog, _)| catalog)
        .map_err(|error| error.to_string())
}

fn check(catalog: &Catalog, method: &str, path: &str) {
    let accepts = |binding: &HttpBinding| binding.verb.accepts(method);
    match (catalog.routes().find(method, path), model::matches(catalog, path)) {
        (Route::Malformed { .. }, None) => {}
        (Route::Found(found), Some(expected)) => {
            assert!(accepts(found.binding));
            let same = |(binding, _): &&(&HttpBinding, _)| std::ptr::eq(*binding, &**found.binding);
            let (_, values) = expected.iter().find(same).expect("it matches");
            let captured: Vec<&String> = found.variables.iter().map(|capture| &capture.value).collect();
            assert_eq!(captured, values.iter().collect::<Vec<_>>(), "{path}");
        }
        (Route::NotFound, Some(expected)) => assert!(expected.is_empty(), "{path}: {expected:?}"),
        (Route::MethodNotAllowed { allow }, Some(expected)) => {
            assert!(!expected.is_empty() && !allow.is_empty(), "{path}");
            assert!(
                !expected.iter().any(|(binding, _)| accepts(binding)),
                "{method} {path}: {expected:?}"
            );
            // What is allowed is answered, by one binding or another.
            for other in allow.split(", ") {
                assert!(
                    matches!(catalog.routes().find(other, path), Route::Found(_)),
                    "{other} {path}"
                );
            }
        }
        (found, expected) => panic!("{method} {path}: {found:?}, expected {expected:?}"),
    }
}
