//! Settings of a cluster that do not hold together: links without protection must be meant.

use super::values;
use crate::config::{ClusterTlsMode, Error, Loaded};

/// An error for each key that lacks another one.
pub(super) fn check(loaded: &Loaded) -> Vec<Error> {
    let config = &loaded.config;
    if !config.is_clustered() || config.cluster_tls.mode == ClusterTlsMode::Off {
        return Vec::new();
    }
    let by = if config.cluster.join.places().is_empty() {
        "cluster.peer_addr"
    } else {
        "cluster.join"
    };
    let files = [
        ("cluster.tls.ca", &config.cluster_tls.ca),
        ("cluster.tls.cert", &config.cluster_tls.cert),
        ("cluster.tls.key", &config.cluster_tls.key),
    ];
    let missing = files.into_iter().filter(|(_, file)| file.is_none());
    let lacks = missing.map(|(missing, _)| Error::Lacks {
        values: values(loaded, &[by]),
        missing,
        fix: "nodes show certificates to each other; or set `cluster.tls` to `off` to let in whoever reaches the port",
    });
    lacks.collect()
}
