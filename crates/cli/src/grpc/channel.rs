//! Connections to a proxy or a function.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::exit::{Exit, Failure};

/// Long enough for a machine across the world, short enough to wait for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// `host:port`, also written as `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let authority = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let parsed: http::uri::Authority = authority
            .parse()
            .map_err(|_| "expected HOST:PORT, such as 127.0.0.1:9000".to_owned())?;
        match (parsed.port_u16(), parsed.host()) {
            (Some(_), host) if !host.is_empty() => Ok(Self(authority.to_owned())),
            _ => Err("expected HOST:PORT, such as 127.0.0.1:9000".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Connects, or says why not.
pub(crate) async fn connect(address: &Address) -> Result<Channel, Failure> {
    let failed = |error: tonic::transport::Error| {
        let text = format!(
            "cannot connect to {address}: {}; is it running, and is this its port?",
            cause(&error)
        );
        Failure::new(Exit::Unreachable, text)
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(failed)?;
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .connect()
        .await
        .map_err(failed)
}

/// The innermost reason, which is the one that helps.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_need_host_and_port() {
        for text in ["127.0.0.1:9000", "http://localhost:9000/", "[::1]:80"] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
        for text in [
            "",
            "localhost",
            "9000",
            ":9000",
            "https://x:1",
            "a b:1",
            "x:99999",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
