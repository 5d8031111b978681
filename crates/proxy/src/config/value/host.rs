//! Names and addresses of hosts.

use std::fmt;
use std::net::IpAddr;

use super::Value;

/// A host name or an IP address, without brackets and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// The name or address, as name resolution takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, if it is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// `host:port` as in a URL; an IPv6 address gets its brackets.
    pub fn with_port(&self, port: u16) -> String {
        if self.0.contains(':') {
            format!("[{}]:{port}", self.0)
        } else {
            format!("{}:{port}", self.0)
        }
    }

    /// Whether listening on both with one port would collide.
    pub(in crate::config) fn overlaps(&self, other: &Self) -> bool {
        let all = |host: &Self| host.ip().is_some_and(|ip| ip.is_unspecified());
        self == other || all(self) || all(other)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for Host {
    const KIND: &'static str = "HOST";
    const FORM: &'static str = "a host name or an IP address without a port";

    fn parse(text: &str) -> Option<Self> {
        let inner = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        let name = inner.len() <= 253
            && !inner.is_empty()
            && inner
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        (name && inner == text || inner.parse::<IpAddr>().is_ok()).then(|| Self(inner.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses() {
        for text in ["0.0.0.0", "localhost", "function.default.svc", "::1"] {
            assert_eq!(Host::parse(text).map(|host| host.show()).as_deref(), Some(text));
        }
        assert_eq!(
            Host::parse("[::1]").map(|host| host.with_port(80)).as_deref(),
            Some("[::1]:80")
        );
    }

    #[test]
    fn refuses_ports_urls_and_blanks() {
        for text in ["", "localhost:80", "http://x", "a b", "[localhost]", "a/b"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_unspecified_address_overlaps_every_other() {
        let host = |text| Host::parse(text).expect("well-formed");
        assert!(host("0.0.0.0").overlaps(&host("127.0.0.1")));
        assert!(host("::").overlaps(&host("localhost")));
        assert!(!host("127.0.0.1").overlaps(&host("10.0.0.1")));
    }
}
