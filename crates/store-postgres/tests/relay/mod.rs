//! A way to the server that can be broken: TCP in, the server's Unix socket out.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What happens to the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Way {
    /// Everything goes through.
    #[default]
    Open,
    /// The next request is lost, with its connection.
    CutRequests,
    /// The next answer is lost, with its connection: the server has done what was asked.
    CutAnswers,
    /// Answers are lost, and connections stay.
    DropAnswers,
}

#[derive(Default)]
struct State {
    way: Way,
    delay: Duration,
    harmed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Threads that copy. They end with the connections.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    port: u16,
}

impl Relay {
    pub(crate) fn start(server: PathBuf) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&server) else {
                    continue;
                };
                connect(&accepting, client, server);
            }
        });
        Relay { shared, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, until healed.
    pub(crate) fn harm(&self, way: Way) {
        let mut state = self.shared.state.lock().unwrap();
        (state.way, state.harmed) = (way, false);
    }

    /// Waits until it has hit something.
    pub(crate) fn until_harmed(&self) {
        let state = self.shared.state.lock().unwrap();
        let wait = |state: &mut State| !state.harmed;
        drop(self.shared.changed.wait_while(state, wait).unwrap());
    }

    pub(crate) fn heal(&self) {
        self.shared.state.lock().unwrap().way = Way::Open;
    }

    /// Of each piece of an answer.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.state.lock().unwrap().delay = delay;
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, server: UnixStream) {
    client.set_nodelay(true).unwrap();
    let (requests, answers) = (Arc::clone(shared), Arc::clone(shared));
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        copy(&requests, &mut from_client, &mut to_server, Way::CutRequests);
        let _ = to_server.shutdown(Shutdown::Both);
        let _ = from_client.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client);
    std::thread::spawn(move || {
        copy(&answers, &mut from_server, &mut to_client, Way::CutAnswers);
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
}

fn copy(shared: &Shared, from: &mut impl Read, to: &mut impl Write, cut: Way) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        let mut state = shared.state.lock().unwrap();
        let answers = cut == Way::CutAnswers;
        let (hit, drops) = (state.way == cut, answers && state.way == Way::DropAnswers);
        if hit || drops {
            state.harmed = true;
            shared.changed.notify_all();
        }
        let delay = if answers { state.delay } else { Duration::ZERO };
        if hit {
            return;
        }
        // Nothing ends this wait early; other pieces are not held up.
        drop(shared.changed.wait_timeout_while(state, delay, |_| true).unwrap());
        if !drops && to.write_all(&buffer[..size]).is_err() {
            return;
        }
    }
}
