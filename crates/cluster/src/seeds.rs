//! Where a node looks for its cluster.

use std::fmt;
use std::str::FromStr;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seed {
    /// `host:port` of a node.
    Endpoint(String),
    /// `dns:name:port`: all addresses of a name, looked up again and again, as of a headless service.
    Dns {
        /// The name.
        name: String,
        /// The port of all of them.
        port: u16,
    },
}

/// A text that is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`host:port` or `dns:name:port`")]
pub struct NoSeed;

impl FromStr for Seed {
    type Err = NoSeed;

    fn from_str(text: &str) -> Result<Self, NoSeed> {
        let (text, is_dns) = match text.strip_prefix("dns:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (host, port) = text.rsplit_once(':').ok_or(NoSeed)?;
        let port: u16 = port.parse().map_err(|_| NoSeed)?;
        let is_host = !host.is_empty() && !host.contains([' ', '/', ',']);
        let is_plain = !host.contains(':') || host.starts_with('[') && host.ends_with(']');
        if !is_host || !is_plain || port == 0 {
            return Err(NoSeed);
        }
        Ok(match is_dns {
            true => Seed::Dns {
                name: host.to_owned(),
                port,
            },
            false => Seed::Endpoint(format!("{host}:{port}")),
        })
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seed::Endpoint(endpoint) => f.write_str(endpoint),
            Seed::Dns { name, port } => write!(f, "dns:{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        for text in [
            "node-1:2552",
            "10.0.0.1:80",
            "[::1]:2552",
            "dns:nodes.default.svc:2552",
        ] {
            assert_eq!(text.parse::<Seed>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "node",
            "node:",
            ":2552",
            "node:0",
            "node:65536",
            "::1:2552",
            "http://node:1",
            "dns:2552",
            "a b:1",
        ] {
            assert_eq!(text.parse::<Seed>(), Err(NoSeed), "{text}");
        }
    }
}
