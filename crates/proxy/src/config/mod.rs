//! One typed tree of settings, where each value came from, and the loader that fills it.
//!
//! ```text
//!   tree.rs      the table: every key with its type, default, range, aliases, meaning
//!      │ settings!
//!      ├──▶ Config, one struct a group        what the proxy reads
//!      └──▶ KEYS                              what loading, flags, help and the reference page read
//!
//!   presets ─▶ file ─▶ environment ─▶ flags   each a list of (key, text, origin)
//!      └────────┴──────────┴───────────┴──▶ load ──▶ combine ──▶ Loaded { config, origins }
//! ```
//!
//! All problems are collected and reported together; nothing here opens a socket or touches the store.

mod clustered;
mod combine;
mod environment;
mod error;
mod file;
mod flags;
mod key;
mod load;
mod nearest;
mod origin;
pub mod reference;
mod tree;
mod value;

pub use error::{Error, Errors};
pub use file::DEV_KEYS;
pub use key::{Group, Key};
pub use load::{Loaded, Preset, Sources, load};
pub use nearest::nearest;
pub use origin::Origin;
pub use tree::{
    Access, Admin, Config, Cors, Entity, Function, GROUPS, Http, Jwt, KEYS, Log, Runtime, StaticFiles, Store,
    Tls, Tracing,
};
pub use value::{
    ClientAuth, ClusterTlsMode, Endpoint, Host, Level, List, LogFormat, Pairs, PeerAddress, SecretPairs,
    Seeds, Size, StoreUrl, TlsVersion, TraceSampler, Value, redact,
};
