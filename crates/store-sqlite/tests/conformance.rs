//! The suite of all backends, over SQLite.

#![allow(clippy::unwrap_used, reason = "tests fail by a panic")]

use std::sync::Arc;

use cloudstate_store::{Backend, Error, Layout, Leases, Reader, Writer};
use cloudstate_store_sqlite::Sqlite;

/// A store whose directory goes with it.
struct Temporary {
    store: Sqlite,
    _directory: tempfile::TempDir,
}

impl Backend for Temporary {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn layout(&self, wanted: &Layout) -> Result<Layout, Error> {
        self.store.layout(wanted)
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        self.store.writer()
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.store.reader()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        self.store.leases()
    }
}

fn fresh() -> Arc<dyn Backend> {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("data")).unwrap();
    Arc::new(Temporary {
        store,
        _directory: directory,
    })
}

cloudstate_store_conformance::suite!(crate::fresh());
