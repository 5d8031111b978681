use proptest::prelude::*;

use super::*;

#[test]
fn defaults_encode_to_nothing() {
    assert!(Any::primitive(&String::new()).value.is_empty());
    assert!(Any::primitive(&Bytes::new()).value.is_empty());
    assert!(Any::primitive(&0i32).value.is_empty());
    assert!(Any::primitive(&0i64).value.is_empty());
    assert!(Any::primitive(&0f32).value.is_empty());
    assert!(Any::primitive(&0f64).value.is_empty());
    assert!(Any::primitive(&false).value.is_empty());
}

#[test]
fn negative_zero_is_not_the_default() {
    let any = Any::primitive(&-0.0f64);
    assert!(!any.value.is_empty());
    assert!(any.as_primitive::<f64>().unwrap().is_sign_negative());
}

#[test]
fn known_encodings() {
    let any = Any::primitive(&"abc".to_owned());
    assert_eq!(any.type_url, "p.cloudstate.io/string");
    assert_eq!(any.value, Bytes::from_static(b"\x0a\x03abc"));
    assert_eq!(Any::primitive(&-1i64).value.len(), 11);
    let json = Any::json("Item", "{\"a\":1}");
    assert_eq!(json.type_url, "json.cloudstate.io/Item");
    assert_eq!(json.value, Bytes::from_static(b"\x0a\x07{\"a\":1}"));
    assert_eq!(json.as_json().unwrap(), "{\"a\":1}");
}

#[test]
fn other_fields_are_skipped_and_the_last_one_wins() {
    let value = Bytes::from_static(b"\x10\x07\x0a\x01a\x1a\x02zz\x0a\x01b");
    let any = Any {
        type_url: "p.cloudstate.io/string".into(),
        value,
    };
    assert_eq!(any.as_primitive::<String>().unwrap(), "b");
}

#[test]
fn a_wrong_wire_type_is_an_error() {
    let any = Any {
        type_url: "p.cloudstate.io/string".into(),
        value: Bytes::from_static(b"\x08\x01"),
    };
    assert!(matches!(
        any.as_primitive::<String>(),
        Err(UnpackError::Decode { .. })
    ));
}

#[test]
fn type_names_ignore_the_host() {
    let name = |url: &str| {
        Any {
            type_url: url.into(),
            value: Bytes::new(),
        }
        .type_name()
        .to_owned()
    };
    assert_eq!(name("type.googleapis.com/a.B"), "a.B");
    assert_eq!(name("x.example/a.B"), "a.B");
    assert_eq!(name("a.B"), "a.B");
}

#[test]
fn unpack_names_both_types() {
    let any = Any::message("a.B", Vec::new());
    let error = any.as_primitive::<i32>().unwrap_err().to_string();
    assert_eq!(
        error,
        "expected type p.cloudstate.io/int32 but found type.googleapis.com/a.B"
    );
}

proptest! {
    #[test]
    fn primitives_round_trip(s: String, b: Vec<u8>, i: i32, l: i64, d: f64, t: bool) {
        let bytes = Bytes::from(b);
        prop_assert_eq!(Any::primitive(&s).as_primitive::<String>().unwrap(), s);
        prop_assert_eq!(Any::primitive(&bytes).as_primitive::<Bytes>().unwrap(), bytes);
        prop_assert_eq!(Any::primitive(&i).as_primitive::<i32>().unwrap(), i);
        prop_assert_eq!(Any::primitive(&l).as_primitive::<i64>().unwrap(), l);
        prop_assert_eq!(Any::primitive(&d).as_primitive::<f64>().unwrap().to_bits(), d.to_bits());
        prop_assert_eq!(Any::primitive(&t).as_primitive::<bool>().unwrap(), t);
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let any = Any { type_url: "p.cloudstate.io/int64".into(), value: bytes.into() };
        let _ = any.as_primitive::<i64>();
    }
}
