//! Further nodes of a cluster on this machine: proxies in processes of their own, in front of the same function, so that one can be
//! killed to see what happens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use cloudstate_proxy::config::{Config, KEYS, Preset};
use futures_util::future::select_all;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{WHO, free_port};

/// What each node has of its own, or what is a secret: variables reach all of them.
const OWN: [&str; 6] = [
    "http.port",
    "admin.port",
    "admin.management_port",
    "store.url",
    "tracing.headers",
    "cluster.join",
];
/// Longer than the nodes take to drain and leave, unless something is wrong with them.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// All nodes but the first, which is the proxy of this process.
#[derive(Default)]
pub(super) struct Nodes(Vec<Node>);

struct Node {
    name: String,
    client: u16,
    admin: u16,
    child: Child,
}

/// What the first of several nodes has to be told.
pub(super) fn presets(count: u16) -> io::Result<Vec<Preset>> {
    if count < 2 {
        return Ok(Vec::new());
    }
    let preset = |key, value| Preset { key, value, by: WHO };
    Ok(vec![
        preset("cluster.peer_addr", format!("127.0.0.1:{}", free_port()?)),
        preset("cluster.peer_host", "127.0.0.1".to_owned()),
        preset("cluster.node_name", "node-1".to_owned()),
        preset("cluster.tls.mode", "off".to_owned()),
    ])
}

impl Nodes {
    /// Starts the others beside the first one, which has this configuration.
    pub(super) fn start(count: u16, first: &Config) -> io::Result<Nodes> {
        let nodes = (2..=count).map(|number| Node::start(number, first));
        nodes.collect::<io::Result<Vec<_>>>().map(Nodes)
    }

    /// Where they are, for the terminal; empty without any.
    pub(super) fn show(&self, admin: Option<SocketAddr>) -> String {
        let mut text = String::new();
        for node in &self.0 {
            let id = node
                .child
                .id()
                .map_or("ended".to_owned(), |id| format!("kill -9 {id} to see it go"));
            text += &format!(
                "  {:<16} http://127.0.0.1:{}  http://127.0.0.1:{}/cluster  ({id})\n",
                node.name, node.client, node.admin
            );
        }
        if let Some(admin) = admin.filter(|_| !text.is_empty()) {
            text += &format!("  Members          http://127.0.0.1:{}/cluster\n", admin.port());
        }
        text
    }

    /// The next one that ends. Never, if none runs.
    pub(super) async fn ended(&mut self) -> (String, io::Result<ExitStatus>) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.0.iter_mut().map(|node| Box::pin(node.child.wait()));
        let (status, at, _) = select_all(waits).await;
        (self.0.remove(at).name, status)
    }

    /// Ends all of them and waits for it.
    pub(super) async fn stop(mut self) {
        for node in &self.0 {
            let id = node
                .child
                .id()
                .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            // One that has ended meanwhile needs no signal.
            let _ = id.map(|id| kill_process(id, Signal::TERM));
        }
        for node in &mut self.0 {
            if tokio::time::timeout(END_TIMEOUT, node.child.wait())
                .await
                .is_err()
            {
                // It is killed when it is dropped, at the latest.
                let _ = node.child.start_kill();
            }
        }
    }
}

impl Node {
    fn start(number: u16, first: &Config) -> io::Result<Node> {
        let (client, admin) = (free_port()?, free_port()?);
        let name = format!("node-{number}");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("proxy");
        let is_shared =
            |name: &str| !OWN.contains(&name) && !["cluster.peer_addr", "cluster.node_name"].contains(&name);
        for key in KEYS.iter().filter(|key| is_shared(key.name)) {
            let value = key.show(first);
            if value != key.default {
                command.arg(format!("--{}={value}", key.flag()));
            }
        }
        let peer = first.cluster.peer_addr.parts();
        let (host, port) =
            peer.ok_or_else(|| io::Error::other("the first node has no address for others"))?;
        command
            .arg(format!("--http.port={client}"))
            .arg(format!("--admin.port={admin}"))
            .arg("--store=memory:")
            .arg(format!("--node-name={name}"))
            .arg(format!("--peer-addr={}:{}", Ipv4Addr::LOCALHOST, free_port()?))
            .arg(format!("--join={host}:{port}"))
            .stdin(Stdio::null())
            // A signal of the terminal is for `cloudstate dev`, which ends the nodes before the function.
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        Ok(Node {
            name,
            client,
            admin,
            child,
        })
    }
}
