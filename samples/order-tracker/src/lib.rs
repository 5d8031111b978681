//! An order as an event sourced entity, and an action that lets clients follow it live.
//!
//! ```text
//!   Place, Advance, Cancel ──▶ OrderEntity ──emit──▶ OrderPlaced, StageReached ──▶ OrderState::apply
//!                                  │ side effect, once the events are durable
//!                                  ▼
//!   Follow ◀──steps── Followers ◀── Tracking.Changed
//!      └──side effect──▶ Orders.Announce ──side effect──▶ Tracking.Changed
//! ```

mod entity;
mod followers;
mod state;
mod tracking;

use cloudstate_sdk::UserFunction;

use entity::OrderEntity;
use proto::com::example::ordertracking::{orders, tracking as tracking_service};
use tracking::Tracking;

mod proto {
    cloudstate_sdk::include_protos!();
}

/// Everything that this function serves.
pub fn function() -> UserFunction {
    UserFunction::new("order-tracker", env!("CARGO_PKG_VERSION"))
        .with(orders::event_sourced("orders", OrderEntity).snapshot_every(0))
        .with(tracking_service::action(Tracking::default()))
}
