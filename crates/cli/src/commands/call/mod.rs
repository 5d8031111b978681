//! `cloudstate call`: any method of a running proxy, with JSON.

mod describe;
mod exchange;
mod header;
mod input;

use std::time::Duration;

use cloudstate_proxy::config::Value as _;
use prost_reflect::MethodDescriptor;

use self::header::Header;
use crate::exit::{Exit, Failure};
use crate::grpc::{Address, Reflection, Schema, connect};

/// Call a method of a running proxy with JSON
///
/// The proxy is asked for its descriptors by gRPC reflection; no file is needed. Replies are written to standard output,
/// a streamed one as one line for each message. A status other than OK is written to standard error with its details,
/// and the exit code is 5.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The method, as package.Service/Method; with --describe also a service or message
    #[arg(value_name = "METHOD", required_unless_present = "list")]
    symbol: Option<String>,
    /// The request as JSON, several values for a client-streaming method; `-` reads them from standard input
    #[arg(value_name = "JSON", default_value = "{}", hide_default_value = true)]
    json: String,
    /// Where the proxy listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    addr: Address,
    /// Send a metadata entry; the value of a name ending in `-bin` is base64
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    headers: Vec<Header>,
    /// Give up after this time, such as `5s`; the proxy is told
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// List services and their methods
    #[arg(long, conflicts_with = "describe")]
    list: bool,
    /// Describe the service, method or message, with the HTTP routes of methods
    #[arg(long)]
    describe: bool,
    /// Write the reply's metadata to standard error
    #[arg(short, long)]
    verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  cloudstate call --list
  cloudstate call --describe com.example.shoppingcart.ShoppingCart/AddItem
  cloudstate call com.example.shoppingcart.ShoppingCart/GetCart '{\"userId\": \"ann\"}'
  generate | cloudstate call example.Meter/Upload -";

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| format!("expected {}", Duration::FORM))
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot start: {error}")))?;
    let result = runtime.block_on(dispatch(arguments));
    // A thread that still waits for standard input must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    let channel = connect(&arguments.addr).await?;
    let mut reflection = Reflection::new(channel.clone());
    let symbol = arguments.symbol.as_deref().unwrap_or_default().replace('/', ".");
    if arguments.list {
        return describe::list(&mut reflection, &symbol).await;
    }
    if arguments.describe {
        let schema = reflection.schema(std::slice::from_ref(&symbol)).await?;
        return describe::symbol(&mut reflection, &schema, &symbol).await;
    }
    let method = find(&mut reflection, &symbol).await?;
    exchange::run(arguments, channel, &method).await
}

/// The method, or an error that names the nearest one there is.
async fn find(reflection: &mut Reflection, symbol: &str) -> Result<MethodDescriptor, Failure> {
    let service = symbol
        .rsplit_once('.')
        .map(|(service, _)| service)
        .unwrap_or_default();
    let schema = reflection.schema(&[service.to_owned()]).await?;
    match describe::method(&schema, symbol) {
        Some(method) => Ok(method),
        None => Err(unknown(reflection, symbol).await?),
    }
}

/// Says that there is no such method or service, and which there is.
async fn unknown(reflection: &mut Reflection, symbol: &str) -> Result<Failure, Failure> {
    let services = reflection.services().await?;
    let schema = reflection.schema(&services).await?;
    let known: Vec<String> = methods(&schema, &services)
        .map(|method| describe::path(&method))
        .collect();
    let nearest = cloudstate_proxy::config::nearest(symbol, known.iter().map(String::as_str));
    let hint = match nearest {
        Some(nearest) => format!("the nearest one is `{nearest}`; --list shows all"),
        None => "it serves no methods".to_owned(),
    };
    Ok(Failure::new(
        Exit::Usage,
        format!("the proxy knows no `{symbol}`; {hint}"),
    ))
}

fn methods(schema: &Schema, services: &[String]) -> impl Iterator<Item = MethodDescriptor> {
    services
        .iter()
        .filter_map(|name| schema.service(name))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}
