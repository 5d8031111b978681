//! What the fuzzer runs on untrusted input: one function for each target, which panics on a finding.
//!
//! ```text
//!   fuzz/fuzz_targets/*.rs ──bytes of the fuzzer──┐
//!                                                 ├──▶ a target here ──▶ the gateway, the catalog ──▶ held to a model
//!   tests/corpus.rs ──files of fuzz/corpus/* ─────┘
//! ```
//!
//! A target turns its bytes into an input, lets the product work on it, and compares the outcome with what a plain model, an
//! inverse or another library says. Every input has an answer, so a panic is always a finding.
//!
//! Absent: the fuzzer itself. It is the workspace in `fuzz/`, whose `README.md` says how to run it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a finding")]

mod api;
mod descriptors;
mod frames;
mod json;
mod mirror;
mod paths;
mod query;

pub use descriptors::descriptors;
pub use frames::grpc_frames;
pub use json::json;
pub use paths::path_template;
pub use query::query;

/// A target: any bytes are an input.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of the corpus and of the program that the fuzzer runs.
pub const TARGETS: [(&str, Target); 5] = [
    ("descriptors", descriptors),
    ("grpc_frames", grpc_frames),
    ("json", json),
    ("path_template", path_template),
    ("query", query),
];
