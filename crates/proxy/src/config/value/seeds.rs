//! Where other nodes are.

use cloudstate_cluster::Seed;

use super::Value;

/// Places where to look for a cluster, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds(Vec<Seed>);

impl Seeds {
    /// The places.
    pub fn places(&self) -> &[Seed] {
        &self.0
    }
}

impl PartialOrd for Seeds {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.show().partial_cmp(&other.show())
    }
}

impl Value for Seeds {
    const KIND: &'static str = "LIST";
    const FORM: &'static str =
        "`host:port` or `dns:name:port`, separated by commas, or an array of such texts in the file";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let places: Result<_, _> = text.split(',').map(|place| place.trim().parse()).collect();
        places.ok().map(Self)
    }

    fn show(&self) -> String {
        let places: Vec<_> = self.0.iter().map(Seed::to_string).collect();
        places.join(",")
    }
}

/// `host:port` of this node for others; may be empty. Port 0 stands for one that is free.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress(Option<(String, u16)>);

impl PeerAddress {
    /// Host and port, if it is not empty.
    pub fn parts(&self) -> Option<(&str, u16)> {
        self.0.as_ref().map(|(host, port)| (host.as_str(), *port))
    }
}

impl Value for PeerAddress {
    const KIND: &'static str = "HOST:PORT";
    const FORM: &'static str = "`host:port`";

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (host, port) = text.rsplit_once(':')?;
        // As other nodes will read it; but for a port that is not chosen yet.
        format!("{host}:1").parse::<Seed>().ok()?;
        let is_plain = !host.starts_with("dns:");
        is_plain.then_some(Self(Some((host.to_owned(), u16::parse(port)?))))
    }

    fn show(&self) -> String {
        self.0
            .as_ref()
            .map_or(String::new(), |(host, port)| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_as_they_are_shown() {
        for text in ["", "a:2552", "a:2552,dns:nodes:80,[::1]:1"] {
            assert_eq!(
                Seeds::parse(text).map(|seeds| seeds.show()).as_deref(),
                Some(text)
            );
        }
        assert_eq!(
            Seeds::parse("a:1, b:2").map(|seeds| seeds.places().len()),
            Some(2)
        );
        for text in [",", "a", "a:b", "a:1,"] {
            assert_eq!(Seeds::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["", "node-1:2552", "127.0.0.1:0", "[::1]:7"] {
            assert_eq!(
                PeerAddress::parse(text).map(|address| address.show()).as_deref(),
                Some(text)
            );
        }
        for text in ["node", ":1", "dns:a:1", "a:65536", "http://a:1"] {
            assert_eq!(PeerAddress::parse(text), None, "{text}");
        }
    }
}
