//! What a commit makes of an entity's state: pure.

use crate::backend::Tail;
use crate::{Change, Error, Expected, Outcome};

/// Whether a write makes sense and meets the state that it expects.
pub(super) fn check(write: &crate::Write, tail: &Tail) -> Result<(), Outcome> {
    if !write.change.goes_with(&write.expected) {
        let reason = "events go with an expected sequence, values with an expected version".to_owned();
        return Err(Outcome::NotApplied(Error::InvalidWrite {
            entity: write.entity.to_string(),
            reason,
        }));
    }
    let as_expected = match write.expected {
        Expected::Sequence(sequence) => sequence == tail.sequence,
        Expected::Version(version) => version == tail.version,
    };
    if as_expected {
        Ok(())
    } else {
        Err(Outcome::Conflict)
    }
}

/// What the entity looks like after the change.
pub(super) fn after(change: &Change, tail: Tail, last: u64) -> Tail {
    let tail = Tail { stored: true, ..tail };
    match change {
        Change::None => tail,
        Change::Events(events) => Tail {
            sequence: tail.sequence + events.len() as u64,
            ..tail
        },
        Change::Put(_) => Tail {
            version: Some(last),
            ..tail
        },
        Change::Delete => Tail {
            version: None,
            ..tail
        },
    }
}
