use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::doc_example::{Count, Counted};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: u32,
}

impl JsonType for Profile {
    const TYPE_NAME: &'static str = "profile";
}

crate::payloads! {
    /// One of each kind.
    #[derive(Debug, Clone, PartialEq)]
    enum Stored {
        Count(Count),
        Counted(Counted),
        Text(Primitive<String>),
        Profile(Json<Profile>),
    }
}

fn profile() -> Json<Profile> {
    Json(Profile {
        name: "ann".into(),
        age: 7,
    })
}

#[test]
fn each_kind_has_its_type_url() {
    let url = |stored: Stored| stored.to_any().unwrap().type_url;
    assert_eq!(
        url(Count { value: 1 }.into()),
        "type.googleapis.com/cloudstate_sdk_example.Count"
    );
    assert_eq!(url(Primitive("x".to_owned()).into()), "p.cloudstate.io/string");
    assert_eq!(url(profile().into()), "json.cloudstate.io/profile");
}

#[test]
fn json_has_sorted_keys_and_no_white_space() {
    assert_eq!(
        profile().to_any().unwrap().as_json().unwrap(),
        r#"{"age":7,"name":"ann"}"#
    );
}

#[test]
fn types_with_the_same_ending_are_told_apart() {
    let counted = Counted { by: 1 }.to_any().unwrap();
    assert!(Counted::is_type_of(&counted) && !Count::is_type_of(&counted));
    let stranger = Any::message("other.package.Count", Vec::new());
    assert!(!Count::is_type_of(&stranger));
    let unprefixed = Any {
        type_url: "cloudstate_sdk_example.Count".into(),
        value: Default::default(),
    };
    assert!(
        Count::is_type_of(&unprefixed),
        "a name without a host is accepted"
    );
}

#[test]
fn what_no_variant_holds_is_an_error_that_names_the_type() {
    let stranger = Any::message("other.Event", Vec::new());
    assert!(!Stored::is_type_of(&stranger));
    let error = Stored::from_any(&stranger).unwrap_err().to_string();
    assert!(error.contains("type.googleapis.com/other.Event"), "{error}");
}

#[test]
fn json_that_does_not_fit_is_an_error_that_names_the_type() {
    let error = Json::<Profile>::from_any(&Any::json("profile", r#"{"age":true}"#)).unwrap_err();
    assert!(error.to_string().contains("type profile"), "{error}");
    assert!(
        Json::<Profile>::from_any(&Any::json("other", "{}")).is_err(),
        "another name"
    );
}

#[test]
fn raw_values_pass_as_they_are() {
    let any = Any::message("other.Event", vec![1, 2, 3]);
    assert_eq!(Raw::from_any(&any).unwrap().to_any().unwrap(), any);
}

proptest! {
    #[test]
    fn what_is_stored_is_read_back(value: i64, by: i64, text: String, name: String, age: u32) {
        let all: [Stored; 4] = [
            Count { value }.into(),
            Counted { by }.into(),
            Primitive(text).into(),
            Json(Profile { name, age }).into(),
        ];
        for stored in all {
            let any = stored.to_any().unwrap();
            prop_assert!(Stored::is_type_of(&any));
            prop_assert_eq!(Stored::from_any(&any).unwrap(), stored);
        }
    }
}
