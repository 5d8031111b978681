//! Links between nodes: gRPC over mutual TLS, one in each direction.
//!
//! ```text
//!   this node                                             the other
//!     Links ──queue──▶ dial: connect, Hello ────────────▶ accept: check the Hello
//!                            Frames ─────────────────────▶ └──▶ the node's loop
//!                            ◀──────── Welcome, or why not
//! ```
//!
//! A link is dialled when there is something to say, and again when it broke. What is in its queue then is dropped; the loop is told
//! when a link stands, and sends again what matters. Queues are bounded in frames and bytes: what does not fit is dropped, and said so.

pub(crate) mod accept;
pub(crate) mod dial;
pub(crate) mod net;
pub(crate) mod security;
