//! Why a store refuses.

use std::sync::Arc;

use crate::{InvalidKey, Layout};

/// The failure beneath, shared so that one failure can answer a whole batch.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A failed attempt on a store. `store` is how the user names it, such as `sqlite:./cloudstate-data`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An id of a size that no store takes.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// The change does not go with the expectation, or is too large to store. A bug or a limit, never a race.
    #[error("the store cannot write {entity}: {reason}")]
    InvalidWrite {
        /// Whose change.
        entity: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The queue before the committer is full. Known not executed; try again later.
    #[error("the store is overloaded: {waiting} commits of {bytes} bytes wait to be written")]
    Overloaded {
        /// Commits in the queue.
        waiting: usize,
        /// Their size.
        bytes: usize,
    },
    /// The store was closed, by the shutdown of this process as a rule.
    #[error("the store is closed")]
    Closed,
    /// Another process writes this store.
    #[error("{store} is locked by {holder}; stop that process, or give this one another store")]
    Locked {
        /// Which store.
        store: String,
        /// The process that holds it, as far as it is known.
        holder: String,
    },
    /// The store's directory or file cannot be written.
    #[error(
        "{store} is not writable: {path}: {cause}; give this user the right to write there, or choose another store"
    )]
    NotWritable {
        /// Which store.
        store: String,
        /// What was to be written.
        path: String,
        /// What the system said.
        #[source]
        cause: Cause,
    },
    /// No room. Nothing of the refused write remains; writes succeed again once there is room.
    #[error("{store}: the disk is full; free some space on it")]
    Full {
        /// Which store.
        store: String,
    },
    /// There is no store here, and this access does not make one.
    #[error("{store} does not exist: there is no {path}")]
    Missing {
        /// Which store.
        store: String,
        /// What was looked for.
        path: String,
    },
    /// The file belongs to another program.
    #[error("{store}: {path} is not a Cloudstate store: {reason}; nothing was changed, choose another store")]
    Foreign {
        /// Which store.
        store: String,
        /// Which file.
        path: String,
        /// How one can tell.
        reason: String,
    },
    /// The store was written by another version.
    #[error(
        "{store} has format {found}, this version reads format {supported}; nothing was changed, use the version that wrote it"
    )]
    Format {
        /// Which store.
        store: String,
        /// The format of the store.
        found: i64,
        /// The newest format that this version reads.
        supported: i64,
    },
    /// What is stored contradicts itself. It is never repaired by leaving something out.
    #[error("{store} is damaged: {reason}; restore it from a backup")]
    Corrupt {
        /// Which store.
        store: String,
        /// What contradicts what.
        reason: String,
    },
    /// The store was made with other fixed settings.
    #[error("{store} was made with {stored}, this process is configured for {wanted}; set store.shards to {} or use a new store", stored.shards)]
    Layout {
        /// Which store.
        store: String,
        /// How it was made.
        stored: Layout,
        /// What is configured.
        wanted: Layout,
    },
    /// The store's server would not keep what it acknowledges, or lacks what a store needs.
    #[error("{store} cannot be used: {reason}")]
    Unsuitable {
        /// Which store.
        store: String,
        /// What is missing, and what to do.
        reason: String,
    },
    /// The store cannot be reached or fails in a way of its own.
    #[error("{store}: {attempt} failed: {cause}")]
    Failed {
        /// Which store.
        store: String,
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
}

impl Error {
    /// Whether the same attempt may succeed later without anybody's change.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Overloaded { .. } | Error::Full { .. } | Error::Failed { .. }
        )
    }
}
