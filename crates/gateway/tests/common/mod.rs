//! A gateway on a real socket over a scripted router, and clients for it. All on one thread, as in production.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by test files, of which each uses a part"
)]

pub mod frames;
pub mod http1;
pub mod raw;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use cloudstate_catalog::{Catalog, CatalogOptions, DiscoveryError};
use cloudstate_gateway::{Front, Gateway, Metrics, Options, Routes, connections};
use cloudstate_protocol::{Entity, EntitySpec, Metadata, SOURCES, ServiceInfo, names};
use cloudstate_runtime::{Call, CallError, Health, Replies, Reply, Router};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Answer = Pin<Box<dyn Future<Output = Result<Replies, CallError>>>>;

/// Stands for the runtime: answers as the test says.
#[derive(Clone)]
pub struct Script(Rc<dyn Fn(Call) -> Answer>);

impl Script {
    pub fn new<F>(answer: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Result<Replies, CallError>> + 'static,
    {
        Script(Rc::new(move |call| Box::pin(answer(call))))
    }
}

impl Router for Script {
    fn call(&self, call: Call) -> impl Future<Output = Result<Replies, CallError>> + 'static {
        (self.0)(call)
    }
}

/// A reply without metadata.
pub fn reply(payload: impl Into<Bytes>) -> Reply {
    Reply {
        payload: Some(payload.into()),
        metadata: Metadata::default(),
    }
}

/// One such reply.
pub fn one(payload: impl Into<Bytes>) -> Result<Replies, CallError> {
    Ok(Replies::One(reply(payload)))
}

/// Several replies and how they end.
pub fn stream(items: Vec<Result<Reply, CallError>>) -> Result<Replies, CallError> {
    Ok(Replies::Stream(Box::pin(futures_util::stream::iter(items))))
}

/// The server of a test.
pub struct Server {
    pub port: u16,
    pub front: watch::Sender<Arc<Front>>,
    pub health: Health,
    pub metrics: Metrics,
    pub shutdown: CancellationToken,
    pub serving: tokio::task::JoinHandle<()>,
}

/// Serves the test's catalog with the router.
pub async fn serve(router: Script, options: Options) -> Server {
    serve_front(router, options, Front::serving(Arc::new(Routes::new(catalog())))).await
}

pub async fn serve_front(router: Script, options: Options, front: Front) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (front, receiver) = watch::channel(Arc::new(front));
    let (health, metrics, shutdown) = (Health::new(), Metrics::new(), CancellationToken::new());
    let gateway = Gateway::new(
        router,
        receiver,
        health.clone(),
        &metrics,
        options,
        shutdown.clone(),
    );
    let serving = tokio::task::spawn_local(async move { gateway.serve(connections(listener)).await });
    Server {
        port,
        front,
        health,
        metrics,
        shutdown,
        serving,
    }
}

/// Runs a test on a runtime like those of production.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let limit = std::time::Duration::from_secs(30);
    runtime.block_on(async { tokio::time::timeout(limit, test).await.expect("the test hangs") })
}

const PROTO: &str = include_str!("shop.proto");

/// The one file of a test, beside those of the protocol.
struct Texts(&'static str, String);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (_, text) = [(self.0, self.1.as_str())]
            .into_iter()
            .chain(SOURCES.iter().copied())
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

fn compile(name: &'static str, text: String) -> Bytes {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(name, text));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .open_file(name)
        .unwrap_or_else(|error| panic!("{error:?}"));
    compiler.encode_file_descriptor_set().into()
}

fn entity(entity_type: &str, service_name: &str, persistence_id: &str) -> Entity {
    Entity {
        entity_type: entity_type.into(),
        service_name: service_name.into(),
        persistence_id: persistence_id.into(),
        ..Entity::default()
    }
}

fn build(proto: Bytes, entities: Vec<Entity>) -> Result<Arc<Catalog>, DiscoveryError> {
    let spec = EntitySpec {
        proto,
        entities,
        service_info: Some(ServiceInfo {
            protocol_minor_version: 2,
            ..ServiceInfo::default()
        }),
    };
    Ok(Arc::new(Catalog::build(&spec, &CatalogOptions::default())?.0))
}

/// What the test's function declares: an event sourced `shop.Cart` and an action `shop.Streams`.
pub fn catalog() -> Arc<Catalog> {
    static COMPILED: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
        let entities = vec![
            entity(names::EVENT_SOURCED, "shop.Cart", "carts"),
            entity(names::ACTION, "shop.Streams", ""),
        ];
        build(compile("shop.proto", PROTO.to_owned()), entities).unwrap()
    });
    COMPILED.clone()
}

/// A file `test.proto` of the package `test`, whose services are actions. The text follows the imports.
pub fn actions(text: &str) -> Result<Arc<Catalog>, DiscoveryError> {
    let imports = [
        "google/api/annotations",
        "google/api/httpbody",
        "google/protobuf/any",
        "google/protobuf/duration",
        "google/protobuf/empty",
        "google/protobuf/field_mask",
        "google/protobuf/struct",
        "google/protobuf/timestamp",
        "google/protobuf/wrappers",
    ];
    let imports: String = imports.map(|file| format!("import \"{file}.proto\"; ")).concat();
    let proto = compile(
        "test.proto",
        format!("syntax = \"proto3\"; package test; {imports}\n{text}"),
    );
    let pool = prost_reflect::DescriptorPool::decode(proto.clone()).unwrap();
    let actions = pool
        .services()
        .map(|service| entity(names::ACTION, service.full_name(), ""));
    build(proto, actions.collect())
}
