//! Serves the baseline of the hop: `raw-hop --function 127.0.0.1:8080 --listen 127.0.0.1:9000`.

use anyhow::Result;
use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Arguments {
    /// Where the function (the shopping cart sample) listens.
    #[arg(long)]
    function: String,
    /// Where to take calls; port 0 picks a free one and says which.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&arguments.listen).await?;
        eprintln!("listening on {}", listener.local_addr()?);
        cloudstate_bench::raw_hop::serve(listener, &arguments.function).await
    })
}
