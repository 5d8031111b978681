//! The nodes of a cluster: who is in it, and what they replicate.
//!
//! ```text
//!   Membership   SWIM (who answers) and views (who is a member), a pure machine
//! ```

mod membership;
mod node;
pub mod wire;

pub use membership::view::{View, ViewId};
pub use membership::{Detection, Event, Membership, Message, Options as MembershipOptions};
pub use node::{Node, next_generation};
