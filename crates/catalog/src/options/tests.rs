use bytes::Bytes;
use cloudstate_protocol::names;
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::testing::{build, compile, entity, spec};

const KEYED: &str = r#"
    message Request { string id = 1 [(cloudstate.entity_key) = true]; }
    service Service { rpc Call(Request) returns (Request); }
"#;

#[test]
fn options_count_whether_or_not_their_definition_is_sent() {
    // Without the imports and the option files: the options are unknown fields then.
    let mut files = FileDescriptorSet::decode(compile(KEYED)).unwrap();
    files
        .file
        .retain(|file| file.name() == "test.proto" || file.name() == "google/protobuf/empty.proto");
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    test.dependency
        .retain(|import| import == "google/protobuf/empty.proto");
    for field in [1080_u32, 50002] {
        let option = [prost_key(field), vec![1]].concat();
        let proto = with_field_options(&files, &option);
        let (catalog, _) = build(&spec(
            proto,
            vec![entity(names::VALUE_ENTITY, "test.Service", "carts")],
        ))
        .unwrap();
        assert_eq!(catalog.methods()[0].key.extract(b"\x0a\x02id").unwrap(), "id");
    }
}

/// The tag of a number field.
fn prost_key(number: u32) -> Vec<u8> {
    let mut key = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut key);
    key
}

/// Encodes the files with these options on the field `test.Request.id`, which prost's own types cannot hold.
fn with_field_options(files: &FileDescriptorSet, options: &[u8]) -> Bytes {
    let mut files = files.clone();
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    let field = &mut test.message_type[0].field[0];
    field.options = None;
    let mut with_options = field.encode_to_vec();
    prost::encoding::bytes::encode(8, &options.to_vec(), &mut with_options);
    let mut message = test.message_type[0].clone();
    message.field.clear();
    let mut message = message.encode_to_vec();
    prost::encoding::bytes::encode(2, &with_options, &mut message);
    test.message_type.clear();
    let mut encoded = test.encode_to_vec();
    prost::encoding::bytes::encode(4, &message, &mut encoded);
    let mut set = Vec::new();
    for file in &files.file {
        let bytes = if file.name() == "test.proto" {
            encoded.clone()
        } else {
            file.encode_to_vec()
        };
        prost::encoding::bytes::encode(1, &bytes, &mut set);
    }
    set.into()
}
