//! The state: what the events say has happened to an order.

use cloudstate_sdk::{EventSourced, NoSnapshot, payloads};

use crate::proto::com::example::ordertracking::persistence::{OrderPlaced, StageReached};
use crate::proto::com::example::ordertracking::{Order, Stage, Step};

payloads! {
    /// What can happen to an order.
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) enum OrderEvent {
        OrderPlaced(OrderPlaced),
        StageReached(StageReached),
    }
}

/// An order as its clients see it.
#[derive(Debug, Default)]
pub(crate) struct OrderState {
    pub(crate) order: Order,
}

impl OrderState {
    /// Where it is; `UNKNOWN` before it is placed.
    pub(crate) fn stage(&self) -> Stage {
        self.order.steps.last().map_or(Stage::Unknown, Step::stage)
    }
}

impl EventSourced for OrderState {
    type Event = OrderEvent;
    type Snapshot = NoSnapshot;

    fn created(&mut self, order_id: &str) {
        order_id.clone_into(&mut self.order.order_id);
    }

    fn apply(&mut self, event: OrderEvent) {
        let (stage, at) = match event {
            OrderEvent::OrderPlaced(placed) => {
                self.order.article = placed.article;
                (Stage::Placed as i32, placed.at)
            }
            OrderEvent::StageReached(reached) => (reached.stage, reached.at),
        };
        let number = self.order.steps.last().map_or(0, |step| step.number) + 1;
        self.order.steps.push(Step { number, stage, at });
    }
}
