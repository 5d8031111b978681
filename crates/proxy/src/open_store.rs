//! Opens the store that the configuration names.

use std::sync::Arc;

use cloudstate_store::{Backend, Error, Store};

use crate::config::{Config, StoreUrl};
use crate::rooms;

/// Opens the store, or says why not: not writable, locked, of another format, damaged.
pub(crate) async fn open_store(config: &Config) -> Result<Store, Error> {
    let options = rooms::store(config);
    let backend: Arc<dyn Backend> = match &config.store.url {
        StoreUrl::Memory => Arc::new(cloudstate_store_memory::Memory::new()),
        StoreUrl::Sqlite(directory) => Arc::new(cloudstate_store_sqlite::Sqlite::open(directory)?),
    };
    Store::open(backend, options).await
}
