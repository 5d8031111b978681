//! A page in a real browser that calls with the published clients of gRPC-Web, `EventSource` and `fetch`.
//!
//! ```text
//!   Chromium ──page──▶ this test ◀──what it saw── page
//!      └──calls, from the page's origin──▶ Proxy ──▶ Function
//! ```

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use cloudstate_protocol::Any;
use cloudstate_test_support::{Browser, leave_out, program};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::harness::client::Open;
use crate::harness::{Client, Function, LOG, Proxy, ask, run, whole_with_get};

const TEST: &str = "a_page_calls_with_published_clients";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
const HTML: &str = include_str!("browser/index.html");
const LOCK: &str = include_str!("browser/package-lock.json");

/// The page's program with its packages in one file; `None` when this machine cannot make it.
fn bundle() -> Option<Bytes> {
    let npm = program(TEST, "npm")?;
    let node = program(TEST, "node")?;
    let packages = install(&npm)?;
    let built = Command::new(node)
        .arg(packages.join("node_modules/esbuild/bin/esbuild"))
        .args(["--bundle", "--format=esm", "page.js"])
        .current_dir(SOURCES)
        .env("NODE_PATH", packages.join("node_modules"))
        .output()
        .expect("node can be started");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}");
    Some(built.stdout.into())
}

/// The directory with the packages of the lock file, which are kept from one run to the next.
fn install(npm: &Path) -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    if std::fs::read_to_string(kept.join("package-lock.json")).is_ok_and(|lock| lock == LOCK) {
        return Some(kept);
    }
    let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a writable directory");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(Path::new(SOURCES).join(name), fresh.path().join(name)).expect("it can be copied");
    }
    let installed = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(fresh.path())
        .output()
        .expect("npm can be started");
    if !installed.status.success() {
        leave_out(
            TEST,
            "npm and its registry",
            String::from_utf8_lossy(&installed.stderr),
        );
        return None;
    }
    // There is nothing, or what another lock file wanted.
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::rename(fresh.keep(), &kept).expect("it is in the same directory");
    Some(kept)
}

/// Serves the page, and takes what it reports.
struct Page {
    files: BTreeMap<&'static str, (&'static str, Bytes)>,
    reports: mpsc::UnboundedSender<Value>,
}

impl Page {
    async fn serve(self, listener: TcpListener) {
        let page = Rc::new(self);
        loop {
            let (socket, _) = listener.accept().await.expect("it can accept");
            let page = page.clone();
            tokio::task::spawn_local(async move {
                let answer = service_fn(|request| page.clone().answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                // The browser ends it as it likes.
                let _ = connection.serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    }

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let mut response = Response::new(Full::default());
        if path == "/report" {
            let body = request.into_body().collect().await.expect("a report").to_bytes();
            self.reports
                .send(serde_json::from_slice(&body).expect("JSON"))
                .expect("the test waits");
        } else if let Some((content_type, content)) = self.files.get(path.as_str()) {
            *response.body_mut() = Full::new(content.clone());
            let content_type = content_type.parse().expect("a header");
            response.headers_mut().insert("content-type", content_type);
        } else {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        Ok(response)
    }
}

/// Fills the queue of an entity, so that the next command for it is refused.
async fn fill(client: &Client, function: &Function) -> Vec<Open> {
    let held = client.begin(LOG, &ask("full", "hold, read", "")).await;
    function.saw("full: command 1 hold, read ").await;
    let mut one = client.begin(LOG, &ask("full", "read", "")).await;
    let mut other = client.begin(LOG, &ask("full", "read", "")).await;
    // One of them waits. The other finds no room and is answered, which tells that the first is there.
    let refused = tokio::select! {
        refused = &mut one.response => refused,
        refused = &mut other.response => refused,
    };
    assert_eq!(refused.expect("an answer").headers()["grpc-status"], "8");
    vec![held, one, other]
}

/// Reports by name until the page has no more.
async fn until_done(reported: &mut mpsc::UnboundedReceiver<Value>) -> BTreeMap<String, Value> {
    let mut saw = BTreeMap::new();
    loop {
        let report = reported.recv().await.expect("the page is served");
        let name = report["name"].as_str().expect("a name").to_owned();
        if name == "done" {
            return saw;
        }
        saw.insert(name, report["saw"].clone());
    }
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// What the page must have seen, in the words of each client.
fn expected() -> BTreeMap<&'static str, Value> {
    let hundred: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let full = "1 commands already wait for entity [full], the limit of its queue";
    // google.rpc.RetryInfo { retry_delay { seconds: 1 } }
    let retry: [u8; 4] = [10, 2, 8, 1];
    let status = Status {
        code: 8,
        message: full.to_owned(),
        details: vec![Any::message("google.rpc.RetryInfo", retry.to_vec())],
    };
    let details = STANDARD_NO_PAD.encode(status.encode_to_vec());
    BTreeMap::from([
        ("connect.unary", json!("connect")),
        ("connect.metadata", json!("1")),
        ("connect.stream", json!(hundred.join(","))),
        ("connect.lateError", json!([["0"], "NotFound", "gone"])),
        (
            "connect.details",
            json!(["ResourceExhausted", full, "google.rpc.RetryInfo", retry]),
        ),
        ("connect.deadline", json!("DeadlineExceeded")),
        ("connect.cancel", json!("Canceled")),
        ("text.unary", json!("text")),
        ("text.details", json!(["RESOURCE_EXHAUSTED", full, details])),
        ("text.stream", json!(hundred.join(","))),
        ("text.lateError", json!([["0"], "NOT_FOUND", "gone"])),
        ("text.cancel", json!(["0"])),
        ("binary.unary", json!("binary")),
        ("binary.details", json!(["RESOURCE_EXHAUSTED", full, details])),
        // The third event, the stream's end, a request for what came after, and the answer that nothing did.
        (
            "events.goOn",
            json!([["1", "1"], ["2", "2"], ["3", "3"], "end", "again", "closed"]),
        ),
        (
            "events.error",
            json!({"code": 5, "status": "NOT_FOUND", "message": "gone", "details": []}),
        ),
        ("events.cancel", json!({"text": "0"})),
        ("json.post", json!({"text": "json"})),
        ("json.lines", json!(["1", "{\"text\":\"1\"}\n{\"text\":\"2\"}\n"])),
        ("elsewhere.refused", json!(["TypeError", "Unknown"])),
    ])
}

fn assert_saw(saw: &BTreeMap<String, Value>, expected: &BTreeMap<&'static str, Value>) {
    for (name, expected) in expected {
        let saw = saw.get(*name).unwrap_or(&Value::Null);
        assert_eq!(saw, expected, "{name}");
    }
    assert_eq!(saw.len(), expected.len(), "{saw:#?}");
}

#[test]
fn a_page_calls_with_published_clients() {
    let Some(program) = bundle() else { return };
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let function = Function::start(whole_with_get());
        let origin = format!("http://127.0.0.1:{port}");
        let proxy = Proxy::start(
            function.port,
            &[("http.cors.origins", &origin), ("entity.queue-commands", "1")],
        );
        let client = proxy.client().await;
        let waiting = fill(&client, &function).await;

        let settings = json!({"proxy": format!("http://{}", proxy.address().await)}).to_string();
        let (reports, mut reported) = mpsc::unbounded_channel();
        let page = Page {
            files: BTreeMap::from([
                ("/", ("text/html", HTML.into())),
                ("/page.js", ("text/javascript", program)),
                ("/settings.json", ("application/json", settings.into())),
                (
                    "/descriptors.bin",
                    ("application/octet-stream", whole_with_get().proto),
                ),
            ]),
            reports,
        };
        tokio::task::spawn_local(page.serve(listener));
        // The same machine by another name is another origin.
        let pages = [
            format!("{origin}/"),
            format!("http://localhost:{port}/#elsewhere"),
        ];
        let mut saw = BTreeMap::new();
        for url in pages {
            let Some(_browser) = Browser::open(TEST, &url) else {
                return;
            };
            saw.extend(until_done(&mut reported).await);
        }
        assert_saw(&saw, &expected());
        function.saw_times("call Out cut off", 3).await;
        function.saw("call Act cut off").await;
        drop(waiting);
    });
}
