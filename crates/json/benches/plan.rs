//! Nanoseconds to convert a message to JSON and back, by a plan and by prost-reflect.
//!
//! `cargo bench -p cloudstate-json`

use std::hint::black_box;
use std::time::Instant;

use cloudstate_json::{Plan, Root};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use protox::file::File;

const PROTO: &str = r#"
    syntax = "proto3"; package bench;
    message AddLineItem { string user_id = 1; string product_id = 2; string name = 3; int32 quantity = 4; }
    message LineItem {
        string product_id = 1; string name = 2; int32 quantity = 3; int64 price = 4; double weight = 5;
        repeated string tags = 6; Kind kind = 7;
    }
    enum Kind { GOODS = 0; SERVICE = 1; }
    message Cart { string user_id = 1; repeated LineItem items = 2; }
"#;

/// What a subject does.
struct Conversions<'s> {
    name: &'s str,
    to_json: &'s dyn Fn(&[u8]) -> Vec<u8>,
    to_wire: &'s dyn Fn(&[u8]) -> Vec<u8>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = File::from_source("bench.proto", PROTO)?;
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_proto(file.file_descriptor_proto().clone())?;
    let small = r#"{"userId":"user-0001","productId":"p-17","name":"A thing","quantity":3}"#;
    let item = |index| {
        format!(
            r#"{{"productId":"product-{index:04}","name":"A thing of some length","quantity":{index},"price":"{}","weight":{}.25,"tags":["new","for the house"],"kind":"SERVICE"}}"#,
            1_999 * index,
            index
        )
    };
    let items: Vec<String> = (1..=20).map(item).collect();
    let big = format!(r#"{{"userId":"user-0001","items":[{}]}}"#, items.join(","));
    for (of, json) in [("bench.AddLineItem", small), ("bench.Cart", &big)] {
        let of = pool.get_message_by_name(of).ok_or("a message of the file")?;
        compare(&of, json)?;
    }
    Ok(())
}

fn compare(of: &MessageDescriptor, json: &str) -> Result<(), Box<dyn std::error::Error>> {
    let plan = Plan::new(&Root::Message(of.clone()));
    let wire = plan.to_wire(json.as_bytes())?;
    assert_eq!(plan.to_json(&wire)?, json.as_bytes());
    println!("{}: {} bytes, {} as JSON", of.full_name(), wire.len(), json.len());
    let (read, write) = (
        DeserializeOptions::new(),
        SerializeOptions::new().skip_default_fields(false),
    );
    let by_plan = Conversions {
        name: "plan",
        to_json: &|wire| plan.to_json(wire).unwrap_or_default(),
        to_wire: &|json| plan.to_wire(json).unwrap_or_default(),
    };
    let by_reflection = Conversions {
        name: "prost-reflect",
        to_json: &|wire| {
            let message =
                DynamicMessage::decode(of.clone(), wire).unwrap_or_else(|_| DynamicMessage::new(of.clone()));
            let mut out = serde_json::Serializer::new(Vec::with_capacity(128));
            let _ = message.serialize_with_options(&mut out, &write);
            out.into_inner()
        },
        to_wire: &|json| {
            let mut reader = serde_json::Deserializer::from_slice(json);
            DynamicMessage::deserialize_with_options(of.clone(), &mut reader, &read)
                .map(|message| message.encode_to_vec())
                .unwrap_or_default()
        },
    };
    let [ours, theirs] = [by_plan, by_reflection].map(|subject| {
        assert_eq!((subject.to_json)(&wire), json.as_bytes(), "{}", subject.name);
        assert_eq!((subject.to_wire)(json.as_bytes()), wire, "{}", subject.name);
        let to_json = nanoseconds(|| drop(black_box((subject.to_json)(black_box(&wire)))));
        let to_wire = nanoseconds(|| drop(black_box((subject.to_wire)(black_box(json.as_bytes())))));
        println!(
            "  {:<14} to JSON {to_json:>8.0} ns   from JSON {to_wire:>8.0} ns",
            subject.name
        );
        (to_json, to_wire)
    });
    println!(
        "  {:<14} to JSON {:>8.1}      from JSON {:>8.1}",
        "times as fast",
        theirs.0 / ours.0,
        theirs.1 / ours.1
    );
    Ok(())
}

/// Of many short rounds the fastest, for each call: others that use the machine disturb only some of them.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 50;
    let mut round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..2_000).map(|_| round()).fold(f64::INFINITY, f64::min)
}
