//! A cluster on this machine: proxies that know each other, each with a function of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use tokio::time::sleep;

use crate::metrics;
use crate::stage::{self, Server};

/// How long a cluster may take until all are in.
const FORMING: Duration = Duration::from_secs(30);

/// One proxy.
#[derive(Debug)]
pub struct Node {
    /// It serves clients.
    pub proxy: Server,
    /// Host and port of its admin port.
    pub admin: String,
    /// Stays with it.
    _function: Server,
}

impl Node {
    /// A counter of its own, summed over labels.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        metrics::counter(&self.admin, name).await
    }
}

/// Starts so many nodes before the program `function`, and waits until all know all and answer `path`.
///
/// # Errors
/// They do not find each other in time.
pub async fn start(count: usize, function: &str, path: &str, request: &Bytes) -> Result<Vec<Node>> {
    let mut first = None;
    let mut nodes = Vec::with_capacity(count);
    for n in 0..count {
        let (peer, admin) = (stage::free_port()?, stage::free_port()?);
        let join = first.get_or_insert(peer).to_string();
        let function = stage::function(&stage::sibling(function)?).await?;
        let mut settings = vec![
            ("METRICS_PORT", admin.to_string()),
            ("CLOUDSTATE_CLUSTER_NODE_NAME", format!("n{n}")),
            ("CLOUDSTATE_CLUSTER_PEER_HOST", "127.0.0.1".to_owned()),
            ("CLOUDSTATE_CLUSTER_PEER_ADDR", format!("127.0.0.1:{peer}")),
            ("CLOUDSTATE_CLUSTER_TLS_MODE", "off".to_owned()),
            // So that none is removed while it stands still.
            ("CLOUDSTATE_CLUSTER_REMOVE_AFTER", "10m".to_owned()),
        ];
        if n > 0 {
            settings.push(("CLOUDSTATE_CLUSTER_JOIN", format!("127.0.0.1:{join}")));
        }
        let proxy = stage::proxy_with(&stage::sibling("cloudstate")?, &function, "memory:", &settings)?;
        let admin = format!("127.0.0.1:{admin}");
        proxy.answers(path, request).await?;
        nodes.push(Node {
            proxy,
            admin,
            _function: function,
        });
    }
    let start = Instant::now();
    for node in &nodes {
        while node.counter("cloudstate_cluster_members_present").await? < count as u64 {
            ensure!(start.elapsed() < FORMING, "{} does not see all", node.admin);
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(nodes)
}
