//! Reading and building [`Metadata`]: an ordered multi-map with keys compared without regard to case.

use bytes::Bytes;

use crate::{Metadata, MetadataEntry, metadata_entry::Value};

impl Metadata {
    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends a text entry, keeping others of the same key.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.push(MetadataEntry {
            key: key.into(),
            value: Some(Value::StringValue(value.into())),
        });
    }

    /// Appends a binary entry, keeping others of the same key.
    pub fn push_bytes(&mut self, key: impl Into<String>, value: impl Into<Bytes>) {
        self.entries.push(MetadataEntry {
            key: key.into(),
            value: Some(Value::BytesValue(value.into())),
        });
    }

    /// Replaces all entries of the key by one text entry.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.remove(key);
        self.push(key, value);
    }

    /// Removes all entries of the key.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| !entry.key.eq_ignore_ascii_case(key));
    }

    /// The first text value of the key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// All text values of the key, in order.
    pub fn get_all<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        self.of_key(key).filter_map(|value| match value {
            Value::StringValue(text) => Some(text.as_str()),
            Value::BytesValue(_) => None,
        })
    }

    /// The first binary value of the key.
    pub fn get_bytes(&self, key: &str) -> Option<&Bytes> {
        self.of_key(key).find_map(|value| match value {
            Value::BytesValue(bytes) => Some(bytes),
            Value::StringValue(_) => None,
        })
    }

    fn of_key<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.entries
            .iter()
            .filter(move |entry| entry.key.eq_ignore_ascii_case(key))
            .filter_map(|e| e.value.as_ref())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut metadata = Metadata::default();
        entries
            .into_iter()
            .for_each(|(key, value)| metadata.push(key, value));
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ignore_case_and_keep_it() {
        let mut metadata: Metadata = [("X-Tag", "a"), ("other", "b"), ("x-tag", "c")]
            .into_iter()
            .collect();
        assert_eq!(metadata.get("x-TAG"), Some("a"));
        assert_eq!(metadata.get_all("x-tag").collect::<Vec<_>>(), ["a", "c"]);
        metadata.set("X-TAG", "d");
        assert_eq!(metadata.entries.len(), 2);
        assert_eq!(metadata.entries[1].key, "X-TAG");
    }

    #[test]
    fn text_and_bytes_do_not_mix() {
        let mut metadata = Metadata::default();
        metadata.push_bytes("k", vec![1]);
        metadata.push("k", "text");
        assert_eq!(metadata.get("k"), Some("text"));
        assert_eq!(metadata.get_bytes("K").map(|b| b.to_vec()), Some(vec![1]));
        metadata.remove("K");
        assert!(metadata.is_empty());
    }
}
