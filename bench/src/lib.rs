//! What the benchmarks share.
//!
//! ```text
//!   load ──gRPC──▶ the proxy, or raw_hop in its place ──stream per entity──▶ the same function
//!     └─ latencies                stage ─ starts them; process ─ their CPU time and memory, from /proc
//!                              stored ─ fills their stores; report ─ medians and verdicts
//! ```
//!
//! The baselines ([`raw_hop`], [`raw_stream`]) use hyper and h2 directly and share no code with the proxy: what they
//! cost is what the hop costs, whoever makes it. They check nothing and keep nothing.

pub mod crdt_examples;
pub mod latencies;
pub mod limited;
pub mod load;
pub mod metrics;
pub mod nodes;
pub mod open_loop;
pub mod process;
pub mod raw_hop;
pub mod raw_stream;
pub mod report;
pub mod shopping_cart;
pub mod stage;
pub mod stored;
pub mod tally;
pub mod wire;
