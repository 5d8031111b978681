//! A supervisor over a function that comes, goes and changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cloudstate_function::discovery::{Backoff, Discovery, DiscoveryOptions, Supervisor, Verdict, proxy_info};
use cloudstate_function::{Link, LinkOptions};
use cloudstate_protocol::{EntitySpec, ProxyInfo, UserFunctionError, names};
use support::{Call, Requests, Server, builder, reply, serve_with};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a function declares and hears.
#[derive(Clone)]
struct Function {
    spec: EntitySpec,
    reports: Rc<watch::Sender<Vec<String>>>,
}

impl Function {
    fn declaring(proto: &'static [u8]) -> Function {
        let spec = EntitySpec {
            proto: proto.into(),
            ..EntitySpec::default()
        };
        Function {
            spec,
            reports: Rc::new(watch::Sender::new(Vec::new())),
        }
    }

    fn serve(&self, listener: TcpListener) -> Server {
        let function = self.clone();
        serve_with(builder(), listener, move |call| function.clone().answer(call))
    }

    async fn answer(self, (request, mut respond): Call) {
        let path = request.uri().path().to_owned();
        let mut requests = Requests::new(request.into_body());
        if path == names::DISCOVER_PATH {
            let info: ProxyInfo = requests.next().await.unwrap();
            assert_eq!(info, proxy_info(&[names::ACTION]));
            reply(&mut respond, &self.spec);
        } else {
            let error: UserFunctionError = requests.next().await.unwrap();
            self.reports.send_modify(|reports| reports.push(error.message));
            reply(&mut respond, &());
        }
    }

    async fn hears(&self, reports: &[&str]) {
        self.reports
            .subscribe()
            .wait_for(|heard| heard == reports)
            .await
            .unwrap();
    }
}

/// A running supervisor that refuses every declaration that begins with "bad".
struct Proxy {
    state: watch::Receiver<Discovery>,
    judged: Rc<RefCell<Vec<EntitySpec>>>,
    link: Link,
    tasks: JoinSet<()>,
}

fn supervise(server: &cloudstate_function::Target) -> Proxy {
    let link = Link::new(server.clone(), LinkOptions::default());
    let mut options = DiscoveryOptions::new(proxy_info(&[names::ACTION]));
    options.backoff = Backoff {
        min: Duration::from_millis(2),
        max: Duration::from_millis(20),
        ..Backoff::default()
    };
    let (sender, state) = watch::channel(Discovery::Searching { reason: None });
    let (judged, mut tasks) = (Rc::new(RefCell::new(Vec::new())), JoinSet::new());
    let (seen, supervisor) = (judged.clone(), Supervisor::new(link.clone(), options, sender));
    tasks.spawn_local(supervisor.run(move |spec| {
        seen.borrow_mut().push(spec.clone());
        if spec.proto.starts_with(b"bad") {
            Verdict::Refused {
                reason: String::from_utf8(spec.proto.to_vec()).unwrap(),
            }
        } else {
            Verdict::Accepted { warnings: vec![] }
        }
    }));
    Proxy {
        state,
        judged,
        link,
        tasks,
    }
}

impl Proxy {
    async fn reaches(&mut self, wanted: impl FnMut(&Discovery) -> bool) -> Discovery {
        let reached = tokio::time::timeout(Duration::from_secs(20), self.state.wait_for(wanted)).await;
        reached.expect("state not reached").unwrap().clone()
    }

    async fn finds(&mut self, declaration: u64) {
        self.reaches(|state| *state == Discovery::Found { declaration })
            .await;
    }
}

async fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test(flavor = "local")]
async fn a_function_that_comes_up_later_is_found_with_one_call() {
    let listener = any_port().await;
    let target = support::tcp(listener.local_addr().unwrap());
    drop(listener);
    let mut proxy = supervise(&target);
    let down = proxy
        .reaches(|state| matches!(state, Discovery::Searching { reason: Some(_) }))
        .await;
    assert!(format!("{down:?}").contains(&target.to_string()), "{down:?}");
    let listener = TcpListener::bind(target.to_string()).await.unwrap();
    let server = Function::declaring(b"cart").serve(listener);
    proxy.finds(1).await;
    assert_eq!(*server.seen.paths.borrow(), [names::DISCOVER_PATH]);
    assert_eq!((server.connections(), proxy.link.connections()), (1, 1));
}

#[tokio::test(flavor = "local")]
async fn a_restart_is_noticed_and_the_same_declaration_recognised() {
    let function = Function::declaring(b"cart");
    let server = function.serve(any_port().await);
    let addr = server.addr();
    let mut proxy = supervise(&server.target);
    proxy.finds(1).await;
    server.crash().await;
    proxy
        .reaches(|state| matches!(state, Discovery::Searching { .. }))
        .await;
    let server = function.serve(TcpListener::bind(addr).await.unwrap());
    proxy.finds(1).await;
    assert_eq!(proxy.judged.borrow().len(), 1, "judged again");
    server.crash().await;
    proxy
        .reaches(|state| matches!(state, Discovery::Searching { .. }))
        .await;
    let _server = Function::declaring(b"cart 2").serve(TcpListener::bind(addr).await.unwrap());
    proxy.finds(2).await;
    assert_eq!(proxy.judged.borrow().last().unwrap().proto, &b"cart 2"[..]);
}

#[tokio::test(flavor = "local")]
async fn a_refused_declaration_is_reported_once_and_asked_for_again() {
    let function = Function::declaring(b"bad: no entities");
    let server = function.serve(any_port().await);
    let addr = server.addr();
    let mut proxy = supervise(&server.target);
    let refused = proxy
        .reaches(|state| matches!(state, Discovery::Refused { .. }))
        .await;
    assert_eq!(
        refused,
        Discovery::Refused {
            reason: "bad: no entities".to_owned()
        }
    );
    server.calls(4).await;
    function.hears(&["bad: no entities"]).await;
    assert!(proxy.judged.borrow().len() >= 2);
    server.crash().await;
    let _server = Function::declaring(b"good").serve(TcpListener::bind(addr).await.unwrap());
    proxy.finds(1).await;
}

#[tokio::test(flavor = "local")]
async fn closing_the_link_ends_the_supervisor() {
    let server = Function::declaring(b"cart").serve(any_port().await);
    let mut proxy = supervise(&server.target);
    proxy.finds(1).await;
    proxy.link.close().await;
    proxy.tasks.join_next().await.unwrap().unwrap();
}
