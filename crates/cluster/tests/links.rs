//! Real nodes over real sockets: who may link, and who may not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure of a test is a panic"
)]

use std::sync::Arc;
use std::time::Duration;

use cloudstate_cluster::{
    Cluster, Error, LinkOptions, MembershipOptions, Metrics, Node, Options, ReplicationOptions, Security,
    Seed, State, SystemNet, TlsPair,
};
use cloudstate_crdt::{Change, NodeId};
use cloudstate_replica::{Acknowledged, Consistency, Id, Replicas, Updated, Watcher};
use cloudstate_test_issuer::Authority;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    endpoint: String,
    replicas: Arc<Replicas>,
    state: watch::Receiver<Arc<State>>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

struct Nobody;

impl Watcher for Nobody {
    fn changed(&self) {}
}

async fn start(name: &str, cluster: &str, join: &[&Running], security: Security) -> Running {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let options = Options {
        cluster: cluster.to_owned(),
        node: Node {
            id: NodeId::new(Node::address_of(name), 1),
            name: name.to_owned(),
            endpoint: endpoint.clone(),
            version: "1.0.0".to_owned(),
            zone: String::new(),
        },
        join: join
            .iter()
            .map(|node| Seed::Endpoint(node.endpoint.clone()))
            .collect(),
        leave_timeout: Duration::from_secs(5),
        membership: MembershipOptions::default(),
        replication: ReplicationOptions::default(),
        link: LinkOptions::default(),
        wall_ms: Arc::new(|| 1_000),
        seed: 7,
    };
    let node = Cluster::new(options, Metrics::default());
    let (replicas, state, shutdown) = (node.replicas(), node.state(), CancellationToken::new());
    let task = tokio::spawn(node.run(
        Arc::new(SystemNet),
        Box::new(listener),
        security,
        shutdown.clone(),
    ));
    Running {
        endpoint,
        replicas,
        state,
        shutdown,
        task,
    }
}

impl Running {
    async fn until(&mut self, what: &str, is_so: impl FnMut(&Arc<State>) -> bool) -> Arc<State> {
        let waited = tokio::time::timeout(Duration::from_secs(30), self.state.wait_for(is_so)).await;
        waited.unwrap_or_else(|_| panic!("{what}")).unwrap().clone()
    }

    async fn ready_among(&mut self, count: usize) {
        self.until("it is ready", |state| {
            state.is_ready()
                && state
                    .view
                    .as_ref()
                    .is_some_and(|view| view.members().len() == count)
        })
        .await;
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn tls(authority: &Authority, name: &str) -> Security {
    let own = authority.issue(name, &["127.0.0.1", "localhost"], 2100);
    let mut roots = RootCertStore::empty();
    let pem = authority.pem();
    let root = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
        pem.as_bytes(),
    );
    roots.add(root.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain(), own.private_key())
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let pair = TlsPair {
        client: authority.client(Some(&own), &["h2"]),
        server: Arc::new(server),
        server_name: None,
    };
    // The sender may go: what was made last stays.
    Security::Tls(watch::channel(Arc::new(pair)).1)
}

#[tokio::test]
async fn nodes_with_certificates_of_one_authority_replicate_and_leave() {
    let authority = Authority::new("cluster");
    let mut first = start("a", "test", &[], tls(&authority, "a")).await;
    first.ready_among(1).await;
    let mut second = start("b", "test", &[&first], tls(&authority, "b")).await;
    second.ready_among(2).await;
    first.ready_among(2).await;

    let replica = first.replicas.open(Id::new("counters", "c"), Arc::new(Nobody));
    let made = replica
        .update(&Change::GCounter { increment: 3 }, Consistency::All, 0)
        .unwrap();
    let Updated::Made(Acknowledged::Later(done)) = made else {
        panic!("{made:?}");
    };
    done.await.unwrap();
    assert!(
        second.replicas.state(&Id::new("counters", "c")).is_some(),
        "all have it"
    );

    second.end().await;
    first.ready_among(1).await;
    first.end().await;
}

#[tokio::test]
async fn a_node_of_another_authority_does_not_get_in() {
    let authority = Authority::new("cluster");
    let mut first = start("a", "test", &[], tls(&authority, "a")).await;
    first.ready_among(1).await;
    let stranger = start("b", "test", &[&first], tls(&Authority::new("other"), "b")).await;
    let plain = start("c", "test", &[&first], Security::Off).await;
    let mut friend = start("d", "test", &[&first], tls(&authority, "d")).await;
    // Who may come later than the others is in, and they are not.
    friend.ready_among(2).await;
    assert!(!stranger.state.borrow().is_ready() && !plain.state.borrow().is_ready());
    for node in [stranger, plain, friend, first] {
        node.end().await;
    }
}

#[tokio::test]
async fn a_node_of_another_cluster_is_told_why_it_is_refused() {
    let mut first = start("a", "one", &[], Security::Off).await;
    first.ready_among(1).await;
    let mut other = start("b", "two", &[&first], Security::Off).await;
    let state = other
        .until("it is refused", |state| state.refusal.is_some())
        .await;
    let text = state.refusal.clone().unwrap();
    assert!(
        text.contains("of the cluster [one], not of [two] (key cluster.name)"),
        "{text}"
    );
    other.end().await;
    first.end().await;
}

#[tokio::test]
async fn a_second_process_of_one_name_ends_the_first() {
    let mut first = start("a", "test", &[], Security::Off).await;
    first.ready_among(1).await;
    let mut second = start("b", "test", &[&first], Security::Off).await;
    second.ready_among(2).await;
    // The clock is the same: it has to learn from the others that its generation is taken.
    let mut third = start("b", "test", &[&first], Security::Off).await;
    third.ready_among(2).await;
    assert!(third.state.borrow().own.id.generation > 1);
    let ended = tokio::time::timeout(Duration::from_secs(30), second.task)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ended, Err(Error::Replaced("b".to_owned())));
    third.end().await;
    first.end().await;
}
