//! Descriptors as the wire has them, so that what prost-types leaves out can be said: custom options, and nonsense.
//!
//! Arbitrary ones draw names and numbers from a few that fit each other, or almost do. Source of the numbers:
//! `google/protobuf/descriptor.proto`.

use arbitrary::{Arbitrary, Result, Unstructured};
use cloudstate_protocol::google::api::http_rule::Pattern;
use cloudstate_protocol::google::api::{CustomHttpPattern, HttpRule};
use prost::Message;

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct FileSet {
    #[prost(message, repeated, tag = "1")]
    pub(crate) files: Vec<File>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct File {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(file_name))]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[arbitrary(with = maybe(package))]
    pub(crate) package: Option<String>,
    #[prost(string, repeated, tag = "3")]
    #[arbitrary(with = several(file_name))]
    pub(crate) dependency: Vec<String>,
    #[prost(int32, repeated, tag = "10")]
    #[arbitrary(with = several(number))]
    pub(crate) public_dependency: Vec<i32>,
    #[prost(int32, repeated, tag = "11")]
    #[arbitrary(with = several(number))]
    pub(crate) weak_dependency: Vec<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) message_type: Vec<MessageType>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) enum_type: Vec<EnumType>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) service: Vec<Service>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) extension: Vec<Field>,
    #[prost(message, optional, tag = "9")]
    pub(crate) source_code_info: Option<SourceCodeInfo>,
    #[prost(string, optional, tag = "12")]
    #[arbitrary(with = maybe(syntax))]
    pub(crate) syntax: Option<String>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct MessageType {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) field: Vec<Field>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) nested_type: Vec<MessageType>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) enum_type: Vec<EnumType>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) extension_range: Vec<Range>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) extension: Vec<Field>,
    #[prost(message, optional, tag = "7")]
    pub(crate) options: Option<MessageOptions>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) oneof_decl: Vec<Oneof>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) reserved_range: Vec<Range>,
    #[prost(string, repeated, tag = "10")]
    #[arbitrary(with = several(name))]
    pub(crate) reserved_name: Vec<String>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct MessageOptions {
    #[prost(bool, optional, tag = "1")]
    pub(crate) message_set_wire_format: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) map_entry: Option<bool>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Oneof {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Range {
    #[prost(int32, optional, tag = "1")]
    #[arbitrary(with = maybe(number))]
    pub(crate) start: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    #[arbitrary(with = maybe(number))]
    pub(crate) end: Option<i32>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Field {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[arbitrary(with = maybe(type_name))]
    pub(crate) extendee: Option<String>,
    #[prost(int32, optional, tag = "3")]
    #[arbitrary(with = maybe(number))]
    pub(crate) number: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    #[arbitrary(with = maybe(|u| u.int_in_range(0..=4)))]
    pub(crate) label: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    #[arbitrary(with = maybe(|u| u.int_in_range(0..=19)))]
    pub(crate) kind: Option<i32>,
    #[prost(string, optional, tag = "6")]
    #[arbitrary(with = maybe(type_name))]
    pub(crate) type_name: Option<String>,
    #[prost(string, optional, tag = "7")]
    #[arbitrary(with = maybe(default_value))]
    pub(crate) default_value: Option<String>,
    #[prost(message, optional, tag = "8")]
    pub(crate) options: Option<FieldOptions>,
    #[prost(int32, optional, tag = "9")]
    #[arbitrary(with = maybe(number))]
    pub(crate) oneof_index: Option<i32>,
    #[prost(string, optional, tag = "10")]
    #[arbitrary(with = maybe(name))]
    pub(crate) json_name: Option<String>,
    #[prost(bool, optional, tag = "17")]
    pub(crate) proto3_optional: Option<bool>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct FieldOptions {
    #[prost(bool, optional, tag = "2")]
    pub(crate) packed: Option<bool>,
    #[prost(bool, optional, tag = "1080")]
    pub(crate) entity_key: Option<bool>,
    #[prost(bytes = "vec", optional, tag = "50002")]
    pub(crate) malformed_key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct EnumType {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) value: Vec<EnumValue>,
    #[prost(message, optional, tag = "3")]
    pub(crate) options: Option<EnumOptions>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) reserved_range: Vec<Range>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct EnumOptions {
    #[prost(bool, optional, tag = "2")]
    pub(crate) allow_alias: Option<bool>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct EnumValue {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(int32, optional, tag = "2")]
    #[arbitrary(with = maybe(number))]
    pub(crate) number: Option<i32>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Service {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) method: Vec<Method>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Method {
    #[prost(string, optional, tag = "1")]
    #[arbitrary(with = maybe(name))]
    pub(crate) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[arbitrary(with = maybe(type_name))]
    pub(crate) input_type: Option<String>,
    #[prost(string, optional, tag = "3")]
    #[arbitrary(with = maybe(type_name))]
    pub(crate) output_type: Option<String>,
    #[prost(message, optional, tag = "4")]
    pub(crate) options: Option<MethodOptions>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) client_streaming: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(crate) server_streaming: Option<bool>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct MethodOptions {
    #[prost(bytes = "vec", optional, tag = "1081")]
    pub(crate) eventing: Option<Vec<u8>>,
    #[prost(message, optional, tag = "72295728")]
    #[arbitrary(with = maybe(http_rule))]
    pub(crate) http: Option<HttpRule>,
}

/// Comments, which stand beside paths into the file.
#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct SourceCodeInfo {
    #[prost(message, repeated, tag = "1")]
    pub(crate) location: Vec<Location>,
}

#[derive(Clone, PartialEq, Message, Arbitrary)]
pub(crate) struct Location {
    #[prost(int32, repeated, tag = "1")]
    #[arbitrary(with = several(number))]
    pub(crate) path: Vec<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) leading_comments: Option<String>,
}

/// Mostly there: an arbitrary `Option` is absent in half of the cases, and what is absent hides the rest.
fn maybe<'a, T>(
    of: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> impl Fn(&mut Unstructured<'a>) -> Result<Option<T>> {
    move |u| Ok(if u.ratio(1, 16)? { None } else { Some(of(u)?) })
}

fn several<'a, T>(
    of: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> impl Fn(&mut Unstructured<'a>) -> Result<Vec<T>> {
    move |u| {
        let count = u.int_in_range(0..=3)?;
        (0..count).map(|_| of(u)).collect()
    }
}

fn one_of(u: &mut Unstructured<'_>, texts: &[&str]) -> Result<String> {
    Ok(if u.ratio(1, 32)? {
        u.arbitrary()?
    } else {
        (*u.choose(texts)?).to_owned()
    })
}

fn file_name(u: &mut Unstructured<'_>) -> Result<String> {
    one_of(u, &["a.proto", "b.proto", "c.proto", "google/protobuf/any.proto"])
}

fn package(u: &mut Unstructured<'_>) -> Result<String> {
    one_of(u, &["test", "", "test.A", "google.protobuf"])
}

fn syntax(u: &mut Unstructured<'_>) -> Result<String> {
    one_of(u, &["proto3", "proto2", "editions"])
}

fn name(u: &mut Unstructured<'_>) -> Result<String> {
    let names = [
        "A",
        "B",
        "C",
        "a",
        "b",
        "key",
        "value",
        "AEntry",
        "S",
        "Timestamp",
        "Any",
        "a_b",
        "aB",
        "_a",
        "",
    ];
    one_of(u, &names)
}

fn type_name(u: &mut Unstructured<'_>) -> Result<String> {
    let names = [
        ".test.A",
        ".test.B",
        ".test.C",
        "A",
        "B",
        ".test.A.B",
        ".test.A.AEntry",
        ".A",
        "test.A",
        ".test.A.a",
        ".test",
        ".",
        ".google.protobuf.Any",
        ".google.protobuf.FieldOptions",
    ];
    one_of(u, &names)
}

fn default_value(u: &mut Unstructured<'_>) -> Result<String> {
    one_of(
        u,
        &[
            "",
            "0",
            "-1",
            "1e400",
            "nan",
            "-inf",
            "true",
            "A",
            "\\377\\0",
            "\\",
            "99999999999999999999",
        ],
    )
}

fn number(u: &mut Unstructured<'_>) -> Result<i32> {
    let usual = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        1000,
        18999,
        19000,
        536_870_911,
        536_870_912,
        -1,
        i32::MAX,
        i32::MIN,
    ];
    Ok(*u.choose(&usual)?)
}

fn http_rule(u: &mut Unstructured<'_>) -> Result<HttpRule> {
    let additional = u.int_in_range(0..=2)?;
    Ok(HttpRule {
        selector: String::new(),
        body: one_of(u, &["", "*", "a", "b", "key"])?,
        response_body: one_of(u, &["", "", "a", "b"])?,
        additional_bindings: (0..additional).map(|_| http_rule(u)).collect::<Result<_>>()?,
        pattern: match u.int_in_range(0..=6)? {
            0 => None,
            1 => Some(Pattern::Get(template(u)?)),
            2 => Some(Pattern::Put(template(u)?)),
            3 => Some(Pattern::Post(template(u)?)),
            4 => Some(Pattern::Delete(template(u)?)),
            5 => Some(Pattern::Patch(template(u)?)),
            _ => Some(Pattern::Custom(CustomHttpPattern {
                kind: one_of(u, &["*", "HEAD", "LINK", ""])?,
                path: template(u)?,
            })),
        },
    })
}

fn template(u: &mut Unstructured<'_>) -> Result<String> {
    let templates = [
        "/",
        "/a",
        "/{a}",
        "/{a.b}",
        "/{a}/{b}",
        "/a/{b=**}",
        "/{a=a/*}:b",
        "/{key}/a",
        "/*",
        "/**",
    ];
    one_of(u, &templates)
}
