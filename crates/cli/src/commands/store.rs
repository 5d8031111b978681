//! `cloudstate store`: work on a store as a whole.

use std::path::PathBuf;

use clap::Subcommand;
use cloudstate_proxy::config::{Sources, StoreUrl, load};
use cloudstate_store_postgres::{Options, Postgres};

use crate::exit::{Exit, Failure};

/// Work on a store as a whole
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a database's tables, or bring them to the format of this version
    ///
    /// The proxy does so itself at its start, if its user has the right to. Give it a user without that right, and
    /// `migrate=check` in its URL, to do it with this command only. Running it again changes nothing.
    Migrate {
        /// The store [default: as for `proxy`, by file and environment]
        #[arg(long, value_name = "URL")]
        store: Option<String>,
        /// TOML file that names the store [env: CLOUDSTATE_CONFIG]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let What::Migrate { store, config } = &arguments.what;
    match url(store.as_deref(), config.clone())? {
        StoreUrl::Postgres(url) => {
            let (found, now) = Options::parse(&url, |name| std::env::var(name).ok())
                .and_then(Postgres::migrate)
                .map_err(|error| Failure::new(Exit::Store, error))?;
            crate::output::print(&match found {
                0 => format!("made the tables, format {now}\n"),
                found if found == now => format!("the tables have format {now} already\n"),
                found => format!("brought the tables from format {found} to {now}\n"),
            })
        }
        StoreUrl::Sqlite(_) | StoreUrl::Memory => Err(Failure::new(
            Exit::Usage,
            "this store makes its tables itself; only a database has to be migrated: give --store postgres://…",
        )),
    }
}

fn url(url: Option<&str>, file: Option<PathBuf>) -> Result<StoreUrl, Failure> {
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
    Ok(loaded.config.store.url)
}
