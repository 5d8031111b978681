//! The suite of all backends, over PostgreSQL: on one connection that writes, and on two.

#![allow(clippy::unwrap_used, reason = "tests fail by a panic")]

use std::sync::Arc;

use cloudstate_store::Backend;
use cloudstate_store_postgres::{Options, Postgres};
use cloudstate_test_support::PostgresServer;

fn server() -> Option<&'static PostgresServer> {
    PostgresServer::shared("the store suite over PostgreSQL")
}

fn fresh(parameters: &str) -> Arc<dyn Backend> {
    let url = format!("{}{parameters}", server().unwrap().fresh_url());
    Arc::new(Postgres::open(Options::from_url(&url).unwrap()).unwrap())
}

mod one_connection {
    cloudstate_store_conformance::suite!(crate::fresh(""), if crate::server().is_some());
}

mod two_connections {
    cloudstate_store_conformance::suite!(crate::fresh("&connections=2"), if crate::server().is_some());
}
