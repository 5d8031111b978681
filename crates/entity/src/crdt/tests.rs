//! Every row of the specification's tables, message by message, over real replicas.

mod changes;
mod commands;
mod deletion;
mod ends;
mod harness;
mod streaming;
mod turns;
