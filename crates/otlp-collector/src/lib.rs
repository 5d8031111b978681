//! A collector of spans for tests. It is a real server over real sockets, made from the published definitions of OTLP, so
//! that what our exporter sends is read by somebody else's code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "only tests use it: a failure is a panic"
)]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub use opentelemetry_proto::tonic::trace::v1::Span;
pub use tonic::transport::{Identity, ServerTlsConfig};
pub use tonic::{Code, Status};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tokio::sync::{Semaphore, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response};

/// How an export is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// All spans are taken. The answer when none is scripted.
    Take,
    /// All but so many are taken.
    TakeAllBut(i64),
    /// None is taken.
    Refuse(Code),
    /// Taken after [`Collector::release`].
    Hold,
}

/// What came in one export.
#[derive(Debug, Clone)]
pub struct Export {
    /// Headers of the request, as texts.
    pub headers: Vec<(String, String)>,
    /// Attributes of the resource, as texts.
    pub resource: Vec<(String, String)>,
    /// Name of the scope.
    pub scope: String,
    /// The spans.
    pub spans: Vec<Span>,
}

#[derive(Debug)]
struct Shared {
    exports: watch::Sender<Vec<Export>>,
    script: Mutex<VecDeque<Answer>>,
    gate: Semaphore,
}

/// A running collector. Dropping it ends it and frees its port.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Listens on a free port of this machine.
    pub fn start() -> Self {
        Self::start_on(0, None)
    }

    /// Listens on a port, with TLS if there is an identity for it.
    pub fn start_on(port: u16, tls: Option<ServerTlsConfig>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            exports: watch::Sender::default(),
            script: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let stop = CancellationToken::new();
        let (serving, stopped) = (shared.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let mut server = tonic::transport::Server::builder();
                if let Some(tls) = tls {
                    server = server.tls_config(tls).expect("a certificate and its key");
                }
                let serve = server
                    .add_service(TraceServiceServer::new(Service(serving)))
                    .serve_with_incoming(TcpListenerStream::new(listener));
                tokio::select! {
                    served = serve => served.expect("it serves"),
                    () = stopped.cancelled() => {}
                }
            });
        });
        Collector {
            address,
            shared,
            stop,
            thread: Some(thread),
        }
    }

    /// Where it listens, as an endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the next exports so, each once.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.script.lock().unwrap().extend(answers);
    }

    /// Lets a held export go on, now or when it comes.
    pub fn release(&self) {
        self.shared.gate.add_permits(1);
    }

    /// What came so far, also what was refused.
    pub fn exports(&self) -> Vec<Export> {
        self.shared.exports.borrow().clone()
    }

    /// All spans that came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.exports()
            .into_iter()
            .flat_map(|export| export.spans)
            .collect()
    }

    /// Waits until what came is what is wanted, and gives it.
    pub async fn exports_until(&self, wanted: impl Fn(&[Export]) -> bool) -> Vec<Export> {
        let mut exports = self.shared.exports.subscribe();
        exports
            .wait_for(|exports| wanted(exports))
            .await
            .expect("the sender lives")
            .clone()
    }

    /// Waits for all these spans, by name and any number of times each, and gives all that came.
    pub async fn spans_named(&self, names: &[&str]) -> Vec<Span> {
        let all = |exports: &[Export]| {
            names.iter().all(|name| {
                exports
                    .iter()
                    .flat_map(|export| &export.spans)
                    .any(|span| span.name == *name)
            })
        };
        self.exports_until(all)
            .await
            .into_iter()
            .flat_map(|export| export.spans)
            .collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // One that failed has failed its test already.
            let _ = thread.join();
        }
    }
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let exports = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(|of_resource| {
                let resource = of_resource.resource.unwrap_or_default();
                let resource = texts(&resource.attributes);
                let headers = headers.clone();
                of_resource.scope_spans.into_iter().map(move |of_scope| Export {
                    headers: headers.clone(),
                    resource: resource.clone(),
                    scope: of_scope.scope.unwrap_or_default().name,
                    spans: of_scope.spans,
                })
            });
        let exports: Vec<_> = exports.collect();
        self.0.exports.send_modify(|all| all.extend(exports));
        let answer = self.0.script.lock().unwrap().pop_front().unwrap_or(Answer::Take);
        let partial_success = match answer {
            Answer::Take => None,
            Answer::TakeAllBut(rejected_spans) => Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: "as scripted".to_owned(),
            }),
            Answer::Refuse(code) => return Err(Status::new(code, "as scripted")),
            Answer::Hold => {
                self.0.gate.acquire().await.expect("it is never closed").forget();
                None
            }
        };
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

/// The attributes as texts, numbers and flags in their usual form.
pub fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("{other:?} is no value that is sent here"),
    };
    attributes
        .iter()
        .map(|pair| (pair.key.clone(), text(&pair.value)))
        .collect()
}

/// The text of one attribute of a span.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    texts(&span.attributes)
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}
