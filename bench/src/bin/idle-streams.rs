//! Memory of an idle entity stream on the proxy's side of the link:
//! `idle-streams --function 127.0.0.1:8080 --streams 100000`.
//!
//! Every stream carries one command and its reply, and then stays open, as that of an active entity does.

use anyhow::{Context, Result, bail};
use clap::Parser;
use cloudstate_bench::process::resident_bytes;
use cloudstate_bench::shopping_cart::{self, SERVICE};
use cloudstate_bench::wire;
use cloudstate_function::{Link, LinkOptions, StreamReceiver, StreamSender, Target};
use cloudstate_protocol::eventsourced::{
    EventSourcedInit, EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in as input,
    event_sourced_stream_out as output,
};
use cloudstate_protocol::{Command, names};

#[derive(Parser)]
struct Arguments {
    /// Host of the function (the shopping cart sample).
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Its port.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Streams to open.
    #[arg(long, default_value_t = 100_000)]
    streams: usize,
}

fn main() -> Result<()> {
    let Arguments { host, port, streams } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(async {
        let link = Link::new(Target::Tcp { host, port }, LinkOptions::default());
        let mut open = Vec::with_capacity(streams);
        open.push(activate(&link, 0).await?);
        let before = resident_bytes(std::process::id())?;
        for index in 1..streams {
            open.push(activate(&link, index).await?);
        }
        let grown = resident_bytes(std::process::id())?.saturating_sub(before);
        println!(
            "{streams} idle streams on {} connections: {:.2} KiB each",
            link.connections(),
            grown as f64 / 1024.0 / (streams - 1) as f64
        );
        Ok(())
    })
}

async fn activate(link: &Link, index: usize) -> Result<(StreamSender, StreamReceiver)> {
    let entity_id = shopping_cart::user_id(index);
    let (mut sender, mut receiver) = link.open(names::EVENT_SOURCED_PATH).await?;
    let init = EventSourcedInit {
        service_name: SERVICE.to_owned(),
        entity_id: entity_id.clone(),
        snapshot: None,
    };
    sender.send(&message(input::Message::Init(init))).await?;
    let request = shopping_cart::GetShoppingCart {
        user_id: entity_id.clone(),
    };
    let payload = wire::any("com.example.shoppingcart.GetShoppingCart", &request);
    let command = Command {
        entity_id,
        id: 1,
        name: "GetCart".to_owned(),
        payload: Some(payload),
        ..Command::default()
    };
    sender.send(&message(input::Message::Command(command))).await?;
    let answer: EventSourcedStreamOut = receiver.message().await?.context("the stream ended")?;
    match answer.message {
        Some(output::Message::Reply(_)) => Ok((sender, receiver)),
        other => bail!("not a reply: {other:?}"),
    }
}

fn message(message: input::Message) -> EventSourcedStreamIn {
    EventSourcedStreamIn {
        message: Some(message),
    }
}
