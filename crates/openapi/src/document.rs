//! Puts the document together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cloudstate_catalog::http::{HttpBinding, HttpVerb, Route};
use cloudstate_catalog::{Catalog, Method, Service};

use crate::comments::Comments;
use crate::model::{Components, Document, Info, Map, PathItem, Tag};
use crate::operation::{error_status, operation, shared_responses};
use crate::path::{Path, free};
use crate::schema::Schemas;

/// HTTP methods that a path of OpenAPI 3.1 can have.
const KNOWN: [&str; 8] = [
    "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
];
/// HTTP methods of a binding that answers to every one: those that applications use.
const EVERY: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// Describes every endpoint of a catalog that a request can reach.
///
/// A binding is left out for the HTTP methods and paths that another one takes: OpenAPI has no order among them. Where
/// `*` and `**` stand in the same place, so that OpenAPI cannot tell them apart, it shows the one of a single segment.
pub fn document(catalog: &Catalog) -> Document {
    let comments = Comments::of(catalog.pool());
    let mut schemas = Schemas::new(&comments);
    let paths = paths(catalog, &mut schemas, &comments);
    let mut components = schemas.components();
    components.extend([error_status()]);
    Document {
        openapi: "3.1.1",
        info: info(catalog),
        tags: tags(catalog, &comments),
        paths,
        components: Components {
            schemas: components,
            responses: shared_responses(),
        },
    }
}

fn info(catalog: &Catalog) -> Info {
    let info = catalog.service_info();
    let names = || {
        let names: Vec<&str> = catalog.services().iter().map(|service| &*service.name).collect();
        names.join(", ")
    };
    let or = |text: &str, otherwise: &dyn Fn() -> String| match text {
        "" => otherwise(),
        text => text.to_owned(),
    };
    Info {
        title: or(&info.service_name, &names),
        version: or(&info.service_version, &|| "0".to_owned()),
    }
}

fn tags(catalog: &Catalog, comments: &Comments) -> Vec<Tag> {
    let tag = |service: &Arc<Service>| {
        let descriptor = catalog.pool().get_service_by_name(&service.name);
        Tag {
            name: service.name.to_string(),
            description: descriptor.and_then(|descriptor| comments.service(&descriptor)),
        }
    };
    catalog.services().iter().map(tag).collect()
}

fn paths(catalog: &Catalog, schemas: &mut Schemas<'_>, comments: &Comments) -> Map<PathItem> {
    let mut paths: Map<PathItem> = Map::default();
    // Where in `paths` a shape is, and how its parameters are called there.
    let mut shapes: HashMap<String, (usize, Vec<String>)> = HashMap::new();
    let mut ids = HashSet::new();
    let short = short_names(catalog);
    for binding in catalog.http_bindings() {
        let path = Path::of(binding);
        for verb in verbs(&binding.verb) {
            if !is_reached(catalog, binding, &verb, &path.probe()) {
                continue;
            }
            let (index, names) = shapes.entry(path.shape()).or_insert_with(|| {
                paths.push(path.key(&path.names), PathItem::default());
                (paths.0.len() - 1, path.names.clone())
            });
            let id = free(&operation_id(&binding.method, &short), &mut ids);
            let operation = operation(binding, &path, names, id, schemas, comments);
            if let Some((_, item)) = paths.0.get_mut(*index) {
                if KNOWN.contains(&&*verb) {
                    item.operations.push(verb.to_lowercase(), operation);
                } else {
                    item.others.push(verb, operation);
                }
            }
        }
    }
    paths
}

/// The methods of a binding that OpenAPI has a place for; it knows no others than those of HTTP itself.
fn verbs(verb: &HttpVerb) -> Vec<String> {
    match verb {
        HttpVerb::Any => EVERY.map(str::to_owned).to_vec(),
        verb => vec![verb.name().to_owned()],
    }
}

/// Whether the router gives such a request to this binding.
fn is_reached(catalog: &Catalog, binding: &Arc<HttpBinding>, verb: &str, path: &str) -> bool {
    match catalog.routes().find(verb, path) {
        Route::Found(found) => Arc::ptr_eq(found.binding, binding),
        Route::MethodNotAllowed { .. } | Route::NotFound | Route::Malformed { .. } => false,
    }
}

/// Simple names of services, where only one has it.
fn short_names(catalog: &Catalog) -> HashMap<&str, &str> {
    let simple = |service: &'_ Service| -> usize { service.name.rfind('.').map_or(0, |dot| dot + 1) };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let names = || {
        catalog
            .services()
            .iter()
            .map(|service| (&*service.name, &service.name[simple(service)..]))
    };
    for (_, short) in names() {
        *counts.entry(short).or_default() += 1;
    }
    names()
        .filter(|(_, short)| counts.get(short) == Some(&1))
        .collect()
}

/// A name for functions of generated clients: `Service_Method`.
fn operation_id(method: &Method, short: &HashMap<&str, &str>) -> String {
    let service = &*method.service.name;
    match short.get(service) {
        Some(short) => format!("{short}_{}", method.name),
        None => format!("{}_{}", service.replace('.', "_"), method.name),
    }
}
