//! `cloudstate dev`: a function and its proxy, together, for development.
//!
//! ```text
//!   project.rs ──▶ function.rs ── child.rs      the function: build, run, watch, restart
//!                     ▲ stop
//!   proxy thread ──events──▶ serve ──▶ banner   the proxy, in this process, store in DIR/.cloudstate
//! ```

mod banner;
mod cargo;
mod child;
mod function;
mod nodes;
mod project;
mod watch;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use cloudstate_proxy::config::{Config, Loaded, Preset};
use cloudstate_proxy::{Event, Hooks, RunError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use self::banner::{Places, banner};
use self::function::{Environment, Function, say};
use self::nodes::Nodes;
use self::project::Project;
use crate::commands::proxy;
use crate::exit::{Exit, Failure};
use crate::logging;
use crate::settings::SettingArguments;
use crate::signals::Signals;

/// Build and run a function with a proxy, and restart it when its sources change
///
/// State is kept in DIR/.cloudstate; delete that directory to start anew. How the function is built and run is read from
/// `[function] build, run, watch` of DIR/cloudstate.toml, else from Cargo.toml, package.json, pyproject.toml or go.mod.
/// The function is told where to listen by HOST and PORT, or by SOCKET when `function.socket` is set. A build that fails
/// leaves the function that was built before running. DIR/static, or what `[function] static` names, is served beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The function's project
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Run so many proxies as one cluster in front of the function: the first on the configured ports, the others on free ones. For
    /// actions and CRDT entities
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// Run this instead of what the project says, and build only what its cloudstate.toml says
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
    #[command(flatten)]
    settings: SettingArguments,
}

const EXAMPLES: &str = "\
cloudstate.toml may say, beside the settings above:
  [function]
  build = \"make\"                    # text for the shell, or a list of program and arguments
  run = [\"./my-function\", \"-v\"]
  watch = [\"src\", \"proto\"]          # default: everything but what tools make and what is served
  static = \"web\"                    # files to serve; default: static, if it is there

Examples:
  cloudstate dev
  cloudstate dev samples/shopping-cart --http.port 9001
  cloudstate dev . -- ./my-function --verbose";

/// Who set the values that this command chooses.
const WHO: &str = "`cloudstate dev`";
/// Events of the proxy not yet shown.
const EVENTS: usize = 64;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = &arguments.directory;
    if !directory.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} is not a directory", directory.display()),
        ));
    }
    let project = Project::find(directory, &arguments.command)?;
    let loaded = settings(arguments, &project)?;
    logging::start(&loaded.config.log);
    let failed = |error: std::io::Error| Failure::new(Exit::Failure, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let result = LocalSet::new().block_on(&runtime, serve(project, loaded.config, arguments.nodes));
    // Nothing of value is left in it; a thread that still reads must not hold up the end.
    runtime.shutdown_background();
    result
}

fn settings(arguments: &Arguments, project: &Project) -> Result<Loaded, Failure> {
    let directory = &project.directory;
    let port = free_port().map_err(|error| Failure::new(Exit::Failure, format!("no free port: {error}")))?;
    let store = directory.join(".cloudstate");
    let preset = |key, value| Preset { key, value, by: WHO };
    let mut presets = vec![
        preset("function.port", port.to_string()),
        preset("store.url", format!("sqlite:{}", store.display())),
        preset("log.level", "warn".to_owned()),
        // Pages in development come from a server of their own on this machine.
        preset("http.cors.origins", "localhost".to_owned()),
        // A developer waits for the function to come back; on this machine, asking often costs nothing.
        preset("function.backoff_min", "50ms".to_owned()),
        preset("function.backoff_max", "500ms".to_owned()),
    ];
    let no_port = |error| Failure::new(Exit::Failure, format!("no free port: {error}"));
    presets.extend(nodes::presets(arguments.nodes).map_err(no_port)?);
    if let Some(files) = &project.static_files {
        presets.push(preset("http.static.dir", files.display().to_string()));
    }
    let file = directory.join(project::FILE);
    arguments.settings.load(presets, file.is_file().then_some(file))
}

/// A port that nobody had a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where the function shall listen.
fn environment(config: &Config) -> Environment {
    match &config.function.socket {
        Some(socket) => Environment {
            set: vec![("SOCKET", socket.into())],
            remove: vec!["HOST", "PORT"],
        },
        None => Environment {
            set: vec![
                ("HOST", config.function.host.as_str().into()),
                ("PORT", config.function.port.to_string().into()),
            ],
            remove: vec!["SOCKET"],
        },
    }
}

/// Runs both until a signal, or until the proxy ends by itself; the function ends last, since draining needs it.
async fn serve(project: Project, config: Config, nodes: u16) -> Result<(), Failure> {
    let mut signals = Signals::take_with_hangup().map_err(|error| Failure::new(Exit::Failure, error))?;
    let shutdown = CancellationToken::new();
    let (mut events, mut ended) = start_proxy(config.clone(), shutdown.clone())?;
    let no_node = |error| Failure::new(Exit::Failure, format!("cannot start a further node: {error}"));
    let mut nodes = Nodes::start(nodes, &config).map_err(no_node)?;
    let stop_function = CancellationToken::new();
    let function = Function::new(project, environment(&config));
    let mut function = std::pin::pin!(function.keep_running(&stop_function));
    let mut shown = Shown::new(&config);
    let result = loop {
        tokio::select! {
            result = &mut ended => break result,
            () = &mut function => {}
            Some(event) = events.recv() => shown.event(&event, &nodes),
            (name, status) = nodes.ended() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                say(&format!("{name} has ended ({status})"));
            }
            () = signals.next() => {
                if shutdown.is_cancelled() {
                    // Dropping the function kills it.
                    return Err(Failure::new(Exit::Failure, "ended at once, by a second signal"));
                }
                say("stopping");
                shutdown.cancel();
            }
        }
    };
    nodes.stop().await;
    stop_function.cancel();
    tokio::select! {
        () = &mut function => {}
        () = signals.next() => {}
    }
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(proxy::failure(&error)),
        Err(_) => Err(Failure::new(Exit::Failure, "the proxy ended unexpectedly")),
    }
}

type Ended = oneshot::Receiver<Result<(), RunError>>;

/// Runs the proxy on a thread of its own, since it blocks.
fn start_proxy(
    config: Config,
    shutdown: CancellationToken,
) -> Result<(mpsc::Receiver<Event>, Ended), Failure> {
    let (event_sender, events) = mpsc::channel(EVENTS);
    let (end_sender, ended) = oneshot::channel();
    let body = move || {
        // When the developer's terminal is that far behind, an event more does not help.
        let events = Box::new(move |event| drop(event_sender.try_send(event)));
        let result = cloudstate_proxy::run(&config, Hooks { shutdown, events });
        // Nobody waits when this command was ended at once.
        let _ = end_sender.send(result);
    };
    let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(body);
    thread.map_err(|error| Failure::new(Exit::Failure, format!("cannot start a thread: {error}")))?;
    Ok((events, ended))
}

/// What the developer has been shown of the proxy.
struct Shown {
    admin: Option<std::net::SocketAddr>,
    store: String,
    page: bool,
    openapi: bool,
}

impl Shown {
    fn new(config: &Config) -> Self {
        let store = cloudstate_proxy::config::Value::show(&config.store.url);
        Self {
            admin: None,
            store: cloudstate_proxy::config::redact(&store),
            page: config.static_files.dir.is_some(),
            openapi: config.http.openapi,
        }
    }

    fn event(&mut self, event: &Event, nodes: &Nodes) {
        match event {
            Event::AdminListening(address) => self.admin = self.admin.or(Some(*address)),
            Event::Serving {
                address,
                catalog,
                first: true,
            } => {
                let methods: Vec<_> = catalog
                    .methods()
                    .iter()
                    .map(|method| method.descriptor.clone())
                    .collect();
                let places = Places {
                    client: *address,
                    admin: self.admin,
                    store: self.store.clone(),
                    page: self.page,
                    openapi: self.openapi,
                };
                // What runs goes on for those who do not read.
                let text = banner(&places, &nodes.show(self.admin), &methods);
                let _ = crate::output::print(&format!("{text}\n"));
            }
            Event::Serving { catalog, .. } => {
                let names: Vec<_> = catalog
                    .services()
                    .iter()
                    .map(|service| service.name.to_string())
                    .collect();
                say(&format!(
                    "the declaration changed; now serving {}",
                    names.join(", ")
                ));
            }
            Event::FunctionBack => say("the function is served again"),
            // The first says nothing that the banner does not; the log tells the others with their reasons.
            Event::ClientReserved(_) | Event::Refused(_) | Event::FunctionLost(_) => {}
        }
    }
}
