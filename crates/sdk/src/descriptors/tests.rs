use proptest::prelude::*;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::*;

const EXAMPLE: &[u8] = crate::generated::FILE_DESCRIPTOR_SET;

#[test]
fn options_survive_and_files_are_not_repeated() {
    let merged = merge([EXAMPLE, EXAMPLE]).unwrap();
    assert_eq!(merged, merge([EXAMPLE]).unwrap());
    let pool = DescriptorPool::decode(merged.as_slice()).unwrap();
    let key = pool
        .get_message_by_name("cloudstate_sdk_example.Read")
        .unwrap()
        .get_field_by_name("counter")
        .unwrap();
    let extension = pool.get_extension_by_name("cloudstate.entity_key").unwrap();
    assert_eq!(key.options().get_extension(&extension).as_bool(), Some(true));
}

#[test]
fn damaged_sets_are_refused() {
    let cut: &'static [u8] = &EXAMPLE[..EXAMPLE.len() - 1];
    assert!(merge([cut]).is_err());
    assert!(
        merge([&[0x0a, 0x05, 0x01][..]]).is_err(),
        "a length beyond the end"
    );
}

proptest! {
    #[test]
    fn the_union_of_files_is_kept(names in prop::collection::vec("[a-d]{1,2}", 0..8), split in 0_usize..8) {
        let files: Vec<_> = names
            .iter()
            .map(|name| FileDescriptorProto { name: Some(name.clone()), ..Default::default() })
            .collect();
        let (left, right) = files.split_at(split.min(files.len()));
        let sets = [left, right].map(|file| -> &'static [u8] {
            FileDescriptorSet { file: file.to_vec() }.encode_to_vec().leak()
        });
        let merged = FileDescriptorSet::decode(merge(sets).unwrap().as_slice()).unwrap();
        let mut expected = names;
        let mut seen = std::collections::HashSet::new();
        expected.retain(|name| seen.insert(name.clone()));
        prop_assert_eq!(merged.file.iter().map(|file| file.name().to_owned()).collect::<Vec<_>>(), expected);
    }
}
