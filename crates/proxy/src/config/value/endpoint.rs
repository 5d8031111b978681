//! Where something else listens, as a URL.

use super::Value;

/// A server, by the URL of its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint(String);

impl Endpoint {
    /// The URL: `http` or `https`, a host, perhaps a port, and no path.
    pub fn url(&self) -> &str {
        &self.0
    }
}

impl Value for Endpoint {
    const KIND: &'static str = "URL";
    const FORM: &'static str = "`http://HOST:PORT` or `https://HOST:PORT`, without a path";

    fn parse(text: &str) -> Option<Self> {
        let url = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = url.split_once("://")?;
        let (host, port) = match authority.rsplit_once(':') {
            // A colon within brackets is part of the address.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let is_address = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_host = is_address || !host.is_empty() && host.chars().all(of_name);
        let is_port = port.is_none_or(|port| u16::parse(port).is_some_and(|port| port > 0));
        let is_scheme = matches!(scheme, "http" | "https");
        (is_scheme && is_host && is_port).then(|| Self(url.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_scheme_and_a_host_and_mostly_a_port() {
        for text in [
            "http://localhost:4317",
            "https://otel.example.com",
            "http://[::1]:4317",
            "http://[::1]",
            "http://my_collector:1",
        ] {
            assert_eq!(
                Endpoint::parse(text).map(|endpoint| endpoint.show()).as_deref(),
                Some(text)
            );
        }
        let slash = Endpoint::parse("http://localhost:4317/").expect("a root");
        assert_eq!(slash.url(), "http://localhost:4317");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            "localhost:4317",
            "grpc://localhost:4317",
            "http://",
            "http://:4317",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost:4317/v1/traces",
            "http://user:secret@localhost",
            "http://a b",
            "http://[]:1",
        ] {
            assert_eq!(Endpoint::parse(text), None, "{text}");
        }
    }
}
