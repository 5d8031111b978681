//! Nanoseconds to read an entity id from a request, beside a full decode of the same request.
//!
//! `cargo bench -p cloudstate-catalog`

use std::hint::black_box;
use std::time::Instant;

use cloudstate_catalog::{Catalog, CatalogOptions};
use cloudstate_protocol::{Entity, EntitySpec, SOURCES, ServiceInfo, names};
use prost::Message;
use prost_reflect::{DynamicMessage, Value};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

const PROTO: &str = r#"
    syntax = "proto3"; package bench; import "cloudstate/entity_key.proto";
    message Add { string user_id = 1 [(cloudstate.entity_key) = true]; string product_id = 2; string name = 3; int32 quantity = 4; }
    message Late { string product_id = 1; string name = 2; int32 quantity = 3; string user_id = 4 [(cloudstate.entity_key) = true]; }
    message Two { string tenant = 1 [(cloudstate.entity_key) = true]; int64 number = 2 [(cloudstate.entity_key) = true]; }
    service Cart { rpc Add(Add) returns (Add); rpc Late(Late) returns (Late); rpc Two(Two) returns (Two); }
"#;

struct Sources;

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let mut files = SOURCES.iter().copied().chain([("bench.proto", PROTO)]);
        let (_, text) = files
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = catalog()?;
    println!(
        "{:<28} {:>10} {:>14} {:>8}",
        "request", "extract ns", "full decode ns", "ratio"
    );
    for method in catalog.methods() {
        let request = request(method.input());
        let extract = nanoseconds(|| {
            let _ = black_box(method.key.extract(black_box(&request)));
        });
        let decode = nanoseconds(|| {
            let _ = black_box(DynamicMessage::decode(
                method.input(),
                black_box(request.as_slice()),
            ));
        });
        let name = format!("{} ({} bytes)", method.name, request.len());
        println!(
            "{name:<28} {extract:>10.1} {decode:>14.1} {:>8.3}",
            extract / decode
        );
    }
    Ok(())
}

fn catalog() -> Result<Catalog, Box<dyn std::error::Error>> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("bench.proto")?;
    let spec = EntitySpec {
        proto: compiler.encode_file_descriptor_set().into(),
        entities: vec![Entity {
            entity_type: names::EVENT_SOURCED.to_owned(),
            service_name: "bench.Cart".to_owned(),
            persistence_id: "carts".to_owned(),
            ..Entity::default()
        }],
        service_info: Some(ServiceInfo {
            protocol_minor_version: 2,
            ..ServiceInfo::default()
        }),
    };
    Ok(Catalog::build(&spec, &CatalogOptions::default())?.0)
}

fn request(input: prost_reflect::MessageDescriptor) -> Vec<u8> {
    let mut message = DynamicMessage::new(input);
    for (field, value) in [
        ("user_id", Value::String("user-0001".into())),
        ("product_id", Value::String("product-17".into())),
        ("name", Value::String("A thing of some length".into())),
        ("quantity", Value::I32(3)),
        ("tenant", Value::String("tenant-7".into())),
        ("number", Value::I64(123_456)),
    ] {
        // Each message has some of these fields.
        let _ = message.try_set_field_by_name(field, value);
    }
    message.encode_to_vec()
}

/// Of many short rounds the fastest, for each call: others that use the machine disturb only some of them.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 2_000;
    let mut round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..2_000).map(|_| round()).fold(f64::INFINITY, f64::min)
}
