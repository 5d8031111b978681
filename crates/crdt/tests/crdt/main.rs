//! What holds for every type, whatever happens between the nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod conflicts;
mod encoding;
mod function;
mod growth;
mod laws;
mod limits;
mod model;
mod network;
mod pruning;
mod registers;
mod rejoin;
mod support;
mod types;
