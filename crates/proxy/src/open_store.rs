//! Opens the store that the configuration names.

use std::sync::Arc;

use cloudstate_store::{Backend, Error, Store};
use cloudstate_store_postgres::{Options, Postgres};

use crate::config::{Config, StoreUrl};
use crate::rooms;

/// Opens the store, or says why not: not writable, locked, unreachable, of another format, damaged.
pub(crate) async fn open_store(config: &Config) -> Result<Store, Error> {
    let options = rooms::store(config);
    let backend: Arc<dyn Backend> = match &config.store.url {
        StoreUrl::Memory => Arc::new(cloudstate_store_memory::Memory::new()),
        StoreUrl::Sqlite(directory) => Arc::new(cloudstate_store_sqlite::Sqlite::open(directory)?),
        StoreUrl::Postgres(url) => {
            let options = Options::parse(url, |name| std::env::var(name).ok())?;
            // It connects, which may take a while: signals are heard meanwhile.
            let opened = tokio::task::spawn_blocking(|| Postgres::open(options)).await;
            Arc::new(opened.unwrap_or(Err(Error::Closed))?)
        }
    };
    Store::open(backend, options).await
}
