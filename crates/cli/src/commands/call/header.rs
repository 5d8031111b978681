//! Metadata of a request.

use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tonic::metadata::{BinaryMetadataKey, BinaryMetadataValue, MetadataKey, MetadataMap, MetadataValue};

/// One entry, as `NAME:VALUE`.
#[derive(Debug, Clone)]
pub(super) struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("expected NAME:VALUE")?;
        let header = Self {
            name: name.trim().to_lowercase(),
            value: value.trim().to_owned(),
        };
        // Tried here, so that a wrong one is an error of usage.
        header.add(&mut MetadataMap::new())?;
        Ok(header)
    }
}

impl Header {
    /// Adds it to the metadata of a request.
    pub(super) fn add(&self, metadata: &mut MetadataMap) -> Result<(), String> {
        let bad_name = |_| format!("`{}` is not a metadata name", self.name);
        if self.name.ends_with("-bin") {
            let key = BinaryMetadataKey::from_bytes(self.name.as_bytes()).map_err(bad_name)?;
            let bytes = BASE64_STANDARD
                .decode(&self.value)
                .map_err(|error| format!("not base64: {error}"))?;
            metadata.append_bin(key, BinaryMetadataValue::from_bytes(&bytes));
        } else {
            let key = MetadataKey::from_bytes(self.name.as_bytes()).map_err(bad_name)?;
            let value = MetadataValue::try_from(&self.value).map_err(|_| "not printable ASCII".to_owned())?;
            metadata.append(key, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_values_trimmed() {
        let mut metadata = MetadataMap::new();
        for text in ["X-Tenant: a:b", "key-bin:AAE="] {
            text.parse::<Header>()
                .and_then(|header| header.add(&mut metadata))
                .expect("well-formed");
        }
        assert_eq!(
            metadata.get("x-tenant").map(|value| value.as_bytes()),
            Some(&b"a:b"[..])
        );
        assert_eq!(
            metadata
                .get_bin("key-bin")
                .and_then(|value| value.to_bytes().ok())
                .as_deref(),
            Some(&[0, 1][..])
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["novalue", "a b:c", ":c", "key-bin:###", "a:b\u{7}"] {
            assert!(text.parse::<Header>().is_err(), "{text}");
        }
    }
}
