//! Who is in the cluster: identities and what they say of themselves.

use cloudstate_crdt::NodeId;
use xxhash_rust::xxh3::xxh3_64;

use crate::wire::{self, Lacks};

/// The longest name, endpoint, version or zone that is accepted from a peer, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// One start of one process, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identity. No two processes ever have the same.
    pub id: NodeId,
    /// The node's name, the same for every start of it. No two processes that run have the same.
    pub name: String,
    /// `host:port` where it takes links.
    pub endpoint: String,
    /// The version of its software.
    pub version: String,
    /// The zone that it runs in, as the operator named it; may be empty.
    pub zone: String,
}

impl Node {
    /// The hash that stands for a node's name in its identity: XXH3-64.
    pub fn address_of(name: &str) -> u64 {
        xxh3_64(name.as_bytes())
    }
}

/// The generation of a process that starts, or takes a new identity: later than all that are known for its name.
///
/// `wall_ms` is the wall clock in milliseconds since 1970, `stored` the last one that this node wrote down, `seen` the highest
/// that other nodes have seen. A clock that was set back thus does no harm as long as one of the others is known.
pub fn next_generation(wall_ms: u64, stored: Option<u64>, seen: Option<u64>) -> u64 {
    let after = |generation: Option<u64>| generation.map_or(0, |generation| generation.saturating_add(1));
    wall_ms.max(after(stored)).max(after(seen))
}

impl From<&Node> for wire::Node {
    fn from(node: &Node) -> Self {
        wire::Node {
            id: Some(node.id.into()),
            name: node.name.clone(),
            endpoint: node.endpoint.clone(),
            version: node.version.clone(),
            zone: node.zone.clone(),
        }
    }
}

impl TryFrom<wire::Node> for Node {
    type Error = Lacks;

    fn try_from(node: wire::Node) -> Result<Self, Lacks> {
        let texts = [&node.name, &node.endpoint, &node.version, &node.zone];
        if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) || node.name.is_empty() {
            return Err(Lacks("name of a sensible length"));
        }
        Ok(Node {
            id: node.id.ok_or(Lacks("node id"))?.into(),
            name: node.name,
            endpoint: node.endpoint,
            version: node.version,
            zone: node.zone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_later_than_all_known_ones_whatever_the_clock_says() {
        assert_eq!(next_generation(1_000, None, None), 1_000);
        assert_eq!(next_generation(1_000, Some(999), Some(7)), 1_000);
        assert_eq!(next_generation(1_000, Some(1_000), None), 1_001);
        assert_eq!(next_generation(5, Some(1_000), Some(2_000)), 2_001);
        assert_eq!(next_generation(0, None, Some(0)), 1);
    }

    #[test]
    fn a_node_survives_the_wire() {
        let node = Node {
            id: NodeId::new(Node::address_of("a"), 7),
            name: "a".to_owned(),
            endpoint: "host:2552".to_owned(),
            version: "1.2.3".to_owned(),
            zone: "north".to_owned(),
        };
        assert_eq!(Node::try_from(wire::Node::from(&node)), Ok(node));
    }

    #[test]
    fn a_node_without_identity_or_name_is_refused() {
        let nameless = wire::Node {
            id: Some(NodeId::new(1, 1).into()),
            ..wire::Node::default()
        };
        assert!(Node::try_from(nameless).is_err());
        let unnamed = wire::Node {
            name: "a".to_owned(),
            ..wire::Node::default()
        };
        assert_eq!(Node::try_from(unnamed), Err(Lacks("node id")));
    }
}
