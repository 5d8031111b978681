//! What all types have in common: they know what a command changed, and take what others changed.

use cloudstate_protocol::Any;
use cloudstate_protocol::crdt::CrdtDelta;
use cloudstate_protocol::crdt::crdt_delta::Delta;

use crate::{Payload, PayloadError};

/// The inner side of the types.
pub trait Replicated: Sized + Send + 'static {
    /// Its name in error texts.
    const NAME: &'static str;

    /// The value before anything was set.
    fn fresh() -> Self;

    /// What this command changed; `None` if nothing.
    fn change(&self) -> Option<Delta>;

    /// The whole value, as an entry of a map is created with; `None` if it has no type yet.
    fn whole(&self) -> Option<Delta>;

    /// What was changed is known now.
    fn settle(&mut self);

    /// Undoes what this command changed.
    fn roll_back(&mut self);

    /// Takes what others changed; for a fresh value, the whole.
    ///
    /// # Errors
    /// If it is of another type, or an element cannot be read.
    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError>;
}

/// A type that can be the state of an entity or the value of a map.
///
/// Implemented by the types of this module, for nobody else.
pub trait Crdt: Replicated {}

impl<T: Replicated> Crdt for T {}

/// Why a delta of the proxy cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The entity was made as another type, perhaps by an older version of the function.
    #[error("the entity is not a {expected}, which the function takes it for, but has a delta of {delta}")]
    Type {
        /// The type in the function.
        expected: &'static str,
        /// The delta, abbreviated.
        delta: String,
    },
    /// An element, key or value is not what the function takes it for.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

pub(super) fn mismatch<T: Replicated>(delta: &Delta) -> ApplyError {
    let text = format!("{delta:?}");
    ApplyError::Type {
        expected: T::NAME,
        delta: text.split('(').next().unwrap_or_default().to_owned(),
    }
}

pub(super) fn on_the_wire(delta: Delta) -> CrdtDelta {
    CrdtDelta { delta: Some(delta) }
}

/// An element or key as all nodes compare it: by its type URL and bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoded(pub(super) Any);

impl Encoded {
    /// # Panics
    /// If it cannot be encoded, which only JSON can happen to: a map whose keys are no texts.
    pub(super) fn of<T: Payload>(value: &T) -> Encoded {
        match value.to_any() {
            Ok(any) => Encoded(any),
            Err(error) => panic!("an element of a CRDT has no encoding: {error}"),
        }
    }
}

impl Eq for Encoded {}

impl Ord for Encoded {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.0.type_url, &self.0.value).cmp(&(&other.0.type_url, &other.0.value))
    }
}

impl PartialOrd for Encoded {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) fn anys<'a>(encoded: impl IntoIterator<Item = &'a Encoded>) -> Vec<Any> {
    encoded.into_iter().map(|it| it.0.clone()).collect()
}
