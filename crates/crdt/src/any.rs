//! A value that nobody here looks into.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An element, key or register value: a type URL and bytes, like `google.protobuf.Any`.
///
/// Two are equal if URL and bytes are equal; they are ordered by URL, then bytes. Clones share their memory.
#[derive(Clone, Default)]
pub struct Any {
    type_url: Arc<str>,
    value: Arc<[u8]>,
}

impl Any {
    /// Takes a copy of both parts, so that it keeps no larger buffer alive.
    pub fn new(type_url: impl Into<Arc<str>>, value: impl Into<Arc<[u8]>>) -> Any {
        Any {
            type_url: type_url.into(),
            value: value.into(),
        }
    }

    /// Says what the bytes are.
    pub fn type_url(&self) -> &str {
        &self.type_url
    }

    /// The bytes, as they came.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The URL as others can share it: sets hold thousands of elements of one type.
    pub(crate) fn shared_url(&self) -> &Arc<str> {
        &self.type_url
    }
}

impl Ord for Any {
    fn cmp(&self, other: &Any) -> Ordering {
        // The elements of a decoded set share their URL: no need to read it.
        let urls = if Arc::ptr_eq(&self.type_url, &other.type_url) {
            Ordering::Equal
        } else {
            self.type_url.cmp(&other.type_url)
        };
        urls.then_with(|| self.value.cmp(&other.value))
    }
}

impl PartialOrd for Any {
    fn partial_cmp(&self, other: &Any) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Any {
    fn eq(&self, other: &Any) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Any {}

impl Hash for Any {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.type_url.hash(state);
        self.value.hash(state);
    }
}

impl fmt::Debug for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.type_url, self.value.escape_ascii())
    }
}
