//! The proxy as a whole, over real sockets, in front of real functions; and its configuration.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod actions;
mod browser;
mod cluster;
mod configuration;
mod configuration_reference;
mod crdt;
mod front;
mod function_life;
mod go_crdt;
mod go_function;
mod harness;
mod life;
mod load;
mod metrics;
mod misbehaviour;
mod node_function;
mod observed;
mod overload;
mod python_function;
mod routing;
mod sdk_functions;
mod security;
mod traces;
mod web;
