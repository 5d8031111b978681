//! A store in memory: for tests, and for runs whose state may go with the process.
//!
//! ```text
//!   Writer ──▶ ┌────────────────────────────┐ ◀── Reader, Leases
//!              │ State: shards, entities,   │
//!              │ offsets, leases (one lock) │
//!              └────────────────────────────┘
//! ```
//!
//! It keeps the contract whole, fence and offsets included, so that two writers on one [`Memory`] behave as two processes on
//! one database would. Absent: durability, and any bound on what is kept.

mod reader;
mod state;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloudstate_store::{Backend, Error, Layout, Leases, Reader, Writer};

use state::State;

/// A store in memory. Clones share it; it is gone with the last one.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Memory {
        Memory::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No section under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    fn name(&self) -> &str {
        "memory:"
    }

    fn layout(&self, wanted: &Layout) -> Result<Layout, Error> {
        Ok(self.lock().layout(wanted))
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(writer::MemoryWriter::new(self.clone())))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.clone())
    }

    fn is_instant(&self) -> bool {
        true
    }
}
