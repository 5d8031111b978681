//! Kinds of values: how a user writes them, and what they are in the proxy.

mod access;
mod duration;
mod endpoint;
mod host;
mod list;
mod origins;
mod pairs;
mod plain;
mod seeds;
mod size;
mod store_url;
mod words;

pub use endpoint::Endpoint;
pub use host::Host;
pub use list::List;
pub use pairs::{Pairs, SecretPairs};
pub use seeds::{PeerAddress, Seeds};
pub use size::Size;
pub use store_url::{StoreUrl, redact};
pub use words::{ClientAuth, ClusterTlsMode, Level, LogFormat, TlsVersion, TraceSampler};

/// A kind of value. `parse(show(x)) == Some(x)` for every `x`.
pub trait Value: Sized + PartialOrd {
    /// One word for help texts, in capitals.
    const KIND: &'static str;
    /// What a user must write, ready to follow "expected".
    const FORM: &'static str;
    /// Whether the configuration file writes it without quotes.
    const BARE: bool = false;
    /// Whether the configuration file may write it as an array of texts, which is the same as joining them with commas.
    const LIST: bool = false;
    /// Whether the configuration file may write it as a table of texts, which is the same as joining `key = value` with
    /// semicolons. An array of texts in it is the same as joining them with `|`.
    const TABLE: bool = false;

    /// Reads what a user wrote, without surrounding blanks. `None` if it is not of this form.
    fn parse(text: &str) -> Option<Self>;

    /// The text that `parse` reads back to the same value.
    fn show(&self) -> String;

    /// A text of this kind, well-formed or not, without secrets.
    fn redact(text: &str) -> String {
        redact(text)
    }
}
