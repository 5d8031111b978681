//! The simulated network, as nodes see it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use cloudstate_cluster::{Connection, Listener, Net, Pending};

pub struct Simulated;

impl Net for Simulated {
    fn connect(&self, endpoint: String) -> Pending<Connection> {
        Box::pin(async move { Ok(Connection::new(turmoil::net::TcpStream::connect(endpoint).await?)) })
    }

    fn resolve(&self, host: String, port: u16) -> Pending<Vec<SocketAddr>> {
        Box::pin(async move { Ok(vec![(turmoil::lookup(host), port).into()]) })
    }
}

pub struct SimulatedListener(pub turmoil::net::TcpListener);

impl Listener for SimulatedListener {
    fn accept(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + '_>> {
        Box::pin(async move {
            let (stream, _) = self.0.accept().await?;
            Ok(Connection::new(stream))
        })
    }
}
