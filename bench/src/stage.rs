//! Puts processes on the stage: a function, and the proxy or the raw hop before it, each on a free port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use tokio::time::sleep;

use crate::process::{Process, Running};
use crate::wire::Connection;

/// How long a process may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A process that serves on a port.
#[derive(Debug)]
pub struct Server {
    /// Host and port.
    pub address: String,
    process: Running,
}

impl Server {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until a call succeeds: the server is up, and so is what is behind it.
    ///
    /// # Errors
    /// It does not succeed in time; the last failure is in the error.
    pub async fn answers(&self, path: &str, request: &Bytes) -> Result<()> {
        let pause = async || sleep(Duration::from_millis(20)).await;
        self.until_answer(path, request, pause).await?;
        Ok(())
    }

    /// As [`answers`](Self::answers), but tries again within a tenth of a millisecond, blocking this thread in
    /// between, so that the time until it returns is the time until there is an answer. Returns the answer.
    ///
    /// # Errors
    /// As [`answers`](Self::answers).
    pub async fn first_answer(&self, path: &str, request: &Bytes) -> Result<BytesMut> {
        let pause = async || {
            block_briefly();
            tokio::task::yield_now().await;
        };
        self.until_answer(path, request, pause).await
    }

    async fn until_answer(&self, path: &str, request: &Bytes, pause: impl AsyncFn()) -> Result<BytesMut> {
        let start = Instant::now();
        loop {
            let tried = async {
                Connection::open(&self.address)
                    .await?
                    .unary(path, request.clone())
                    .await
            };
            match tried.await {
                Ok(answer) => return Ok(answer),
                Err(error) if start.elapsed() > START_LIMIT => {
                    return Err(error.context(format!("{} does not serve {path}", self.address)));
                }
                Err(_) => pause().await,
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock has steps of a millisecond, a tenth of what is measured, and nothing else runs here"
)]
fn block_briefly() {
    std::thread::sleep(Duration::from_micros(50));
}

/// The file of a program that was built beside this one.
///
/// # Errors
/// It is not there.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().context("a program without a directory")?.join(name);
    if !path.exists() {
        bail!(
            "{} is missing: build it first, as bench/README.md says",
            path.display()
        );
    }
    Ok(path)
}

/// Starts a user function, which reads `HOST` and `PORT`.
///
/// # Errors
/// It cannot be started, or does not listen in time.
pub async fn function(program: &Path) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(program);
    command
        .env("HOST", "127.0.0.1")
        .env("PORT", port.to_string())
        .env_remove("SOCKET");
    let server = start(&mut command, port)?;
    listening(&server.address).await?;
    Ok(server)
}

/// Starts the raw hop before a function.
///
/// # Errors
/// It cannot be started, or does not listen in time.
pub async fn raw_hop(function: &Server) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(sibling("raw-hop")?);
    command
        .arg("--function")
        .arg(&function.address)
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"));
    let server = start(&mut command, port)?;
    listening(&server.address).await?;
    Ok(server)
}

/// Starts `cloudstate proxy` before a function. It serves once it has discovered the function: wait with
/// [`Server::answers`].
///
/// # Errors
/// It cannot be started.
pub fn proxy(program: &Path, function: &Server, store: &str) -> Result<Server> {
    proxy_with(program, function, store, &[])
}

/// As [`proxy`], with further settings: environment variables and their values.
///
/// # Errors
/// As [`proxy`].
pub fn proxy_with(
    program: &Path,
    function: &Server,
    store: &str,
    settings: &[(&str, String)],
) -> Result<Server> {
    let (_, function_port) = function
        .address
        .rsplit_once(':')
        .context("an address without a port")?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command.args(["proxy", "--store", store]);
    command
        .env("USER_FUNCTION_HOST", "127.0.0.1")
        .env("USER_FUNCTION_PORT", function_port);
    command
        .env("HTTP_HOST", "127.0.0.1")
        .env("HTTP_PORT", port.to_string());
    command.env("METRICS_HOST", "127.0.0.1").env("METRICS_PORT", "0");
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    start(&mut command, port)
}

fn start(command: &mut Command, port: u16) -> Result<Server> {
    let process = Process::start(command)?.drain();
    Ok(Server {
        address: format!("127.0.0.1:{port}"),
        process,
    })
}

async fn listening(address: &str) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = tokio::net::TcpStream::connect(address).await {
        if start.elapsed() > START_LIMIT {
            return Err(error).with_context(|| format!("nothing listens on {address}"));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A port that was free a moment ago.
///
/// # Errors
/// The system has none left.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
