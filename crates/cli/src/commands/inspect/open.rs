//! Opens the store that the user means.

use std::path::PathBuf;
use std::sync::Arc;

use cloudstate_proxy::config::{Sources, StoreUrl, load};
use cloudstate_store::Reader;
use cloudstate_store_postgres::{Options, Postgres};
use cloudstate_store_sqlite::Sqlite;

use crate::exit::{Exit, Failure};

/// The way to read the store of this URL, or of the settings.
pub(super) fn reader(url: Option<&str>, file: Option<PathBuf>) -> Result<Arc<dyn Reader>, Failure> {
    let sources = Sources {
        file,
        environment: std::env::vars_os().collect(),
        flags: url
            .map(|url| ("store".to_owned(), url.to_owned()))
            .into_iter()
            .collect(),
        ..Sources::default()
    };
    let loaded = load(&sources).map_err(|errors| Failure::new(Exit::Usage, errors))?;
    match loaded.config.store.url {
        StoreUrl::Memory => Err(Failure::new(
            Exit::Usage,
            "a store in memory can only be seen by its own process; give --store sqlite:DIRECTORY or postgres://…",
        )),
        StoreUrl::Sqlite(directory) => {
            Sqlite::open_read_only(directory).map_err(|error| Failure::new(Exit::Store, error))
        }
        StoreUrl::Postgres(url) => Options::parse(&url, |name| std::env::var(name).ok())
            .and_then(Postgres::open_read_only)
            .map_err(|error| Failure::new(Exit::Store, error)),
    }
}
