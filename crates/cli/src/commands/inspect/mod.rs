//! `cloudstate inspect`: what a store holds.
//!
//! ```text
//!   open.rs ──▶ Reader ──▶ listing.rs ──rows──▶ table.rs ──▶ standard output
//!                             ▲ payload.rs: JSON by descriptors of a file or of a running function
//! ```

mod listing;
mod open;
mod payload;
mod table;

use std::path::PathBuf;

use clap::Subcommand;

use crate::exit::{Exit, Failure};
use crate::grpc::Address;

/// Look into a store, also one in use
///
/// Nothing is changed. Payloads are shown by their type; with --descriptors or --function they are decoded to JSON.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The store [default: as for `proxy`, by file and environment]
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
    /// TOML file that names the store [env: CLOUDSTATE_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// Print at most so many rows
    #[arg(long, value_name = "NUMBER", default_value_t = 100, global = true)]
    limit: usize,
    /// Decode payloads by this FileDescriptorSet, as `protoc --include_imports -o FILE` writes it
    #[arg(long, value_name = "FILE", conflicts_with = "function", global = true)]
    descriptors: Option<PathBuf>,
    /// Decode payloads by what the function running there declares
    #[arg(long, value_name = "HOST:PORT", global = true)]
    function: Option<Address>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The entities, in all or of one persistence id
    Entities {
        /// Only of this one
        persistence_id: Option<String>,
        /// Only those behind this entity id; needs PERSISTENCE_ID
        #[arg(long, value_name = "ENTITY_ID", requires = "persistence_id")]
        after: Option<String>,
    },
    /// The events of an entity
    Events {
        /// The entity's persistence id
        persistence_id: String,
        /// The entity's id
        entity_id: String,
        /// Only those behind this sequence
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
    },
    /// The snapshots of the entities of a persistence id, or of one entity
    Snapshots {
        /// The entities' persistence id
        persistence_id: String,
        /// Only of this entity
        entity_id: Option<String>,
    },
    /// The values of the entities of a persistence id, or of one entity
    Values {
        /// The entities' persistence id
        persistence_id: String,
        /// Only of this entity
        entity_id: Option<String>,
    },
    /// The shards, with their epochs and owners
    Shards,
}

const EXAMPLES: &str = "\
Examples:
  cloudstate inspect entities
  cloudstate inspect events shopping-cart ann --function 127.0.0.1:8080
  cloudstate inspect values shopping-cart --store sqlite:.cloudstate --json";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let payloads = payload::Payloads::of(common.descriptors.as_deref(), common.function.as_ref()).await?;
        let reader = open::reader(common.store.as_deref(), common.config.clone())?;
        let listing = listing::Listing {
            reader: reader.as_ref(),
            payloads: &payloads,
            limit: common.limit,
        };
        let table = match &arguments.what {
            What::Entities {
                persistence_id,
                after,
            } => {
                listing
                    .entities(persistence_id.as_deref(), after.as_deref())
                    .await
            }
            What::Events {
                persistence_id,
                entity_id,
                after,
            } => listing.events(persistence_id, entity_id, *after).await,
            What::Snapshots {
                persistence_id,
                entity_id,
            } => listing.snapshots(persistence_id, entity_id.as_deref()).await,
            What::Values {
                persistence_id,
                entity_id,
            } => listing.values(persistence_id, entity_id.as_deref()).await,
            What::Shards => listing.shards().await,
        }?;
        let text = if common.json {
            table.json_lines()
        } else {
            table.text()
        };
        crate::output::print(&text)?;
        if table.more {
            eprintln!("there is more; see --limit");
        }
        Ok(())
    })
}
