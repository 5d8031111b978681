//! What several keys of the cluster say together.

use super::Config;

impl Config {
    /// Whether this proxy is one of several: it was told where others are, or where it is for others.
    pub fn is_clustered(&self) -> bool {
        !self.cluster.join.places().is_empty() || self.cluster.peer_addr.parts().is_some()
    }

    /// The port to listen on for other nodes, and the key that says so. 0 if nobody listens, or for a free one.
    pub(crate) fn peer_port(&self) -> (&'static str, u16) {
        match self.cluster.peer_addr.parts() {
            Some((_, port)) => ("cluster.peer_addr", port),
            None if self.is_clustered() => ("cluster.peer_port", self.cluster.peer_port),
            None => ("cluster.peer_port", 0),
        }
    }
}
