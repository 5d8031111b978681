//! A chat on many nodes at once: nobody owns anything, every node serves everybody.
//!
//! ```text
//!   Connect ══stream══▶ PresenceEntity   Vote, one for each user: yes on each node that he is connected to
//!   Monitor ◀═stream═══        │
//!   Add, Remove ──────▶ FriendsEntity    ORSet of friends, one for each user
//!   Post, Type ───────▶ RoomEntity       ORMap of LWWRegisters, one for each room: messages and typists
//!   Follow  ◀═stream═══        │
//!                              │         ORSet of origins: the nodes that windows came from
//! ```

mod friends;
mod places;
mod presence;
mod rooms;

use cloudstate_sdk::UserFunction;

use friends::FriendsEntity;
use places::PlacesEntity;
use presence::PresenceEntity;
use proto::cloudstate::samples::chat as services;
use rooms::RoomEntity;

mod proto {
    cloudstate_sdk::include_protos!();
}

/// Everything that this function serves.
pub fn function() -> UserFunction {
    UserFunction::new("chat", env!("CARGO_PKG_VERSION"))
        .with(services::presence::presence::crdt("presence", PresenceEntity))
        .with(services::friends::friends::crdt("friends", FriendsEntity))
        .with(services::rooms::rooms::crdt("rooms", RoomEntity))
        .with(services::places::places::crdt("places", PlacesEntity))
}
