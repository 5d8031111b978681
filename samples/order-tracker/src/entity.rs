//! The decisions: what a command may do to an order.

use std::time::SystemTime;

use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{Failure, Reply};

use crate::proto::com::example::ordertracking::persistence::{OrderPlaced, StageReached};
use crate::proto::com::example::ordertracking::{OneOrder, Order, PlaceOrder, Stage, orders, tracking};
use crate::state::OrderState;

/// Handles the commands of every order.
pub(crate) struct OrderEntity;

impl orders::EventSourcedEntity for OrderEntity {
    type State = OrderState;

    fn place(&self, command: PlaceOrder, ctx: &mut Context<OrderState>) -> Result<Reply<Order>, Failure> {
        let PlaceOrder { article, .. } = command;
        if ctx.state().stage() != Stage::Unknown {
            return Err(format!("Order {} was placed already.", ctx.entity_id()).into());
        }
        if article.trim().is_empty() {
            return Err("What shall be ordered? The article is empty.".into());
        }
        let at = Some(SystemTime::now().into());
        ctx.emit(OrderPlaced { article, at });
        Ok(told(ctx))
    }

    fn advance(&self, _: OneOrder, ctx: &mut Context<OrderState>) -> Result<Reply<Order>, Failure> {
        let next = match ctx.state().stage() {
            Stage::Placed => Stage::Paid,
            Stage::Paid => Stage::Packed,
            Stage::Packed => Stage::Shipped,
            Stage::Shipped => Stage::Delivered,
            Stage::Unknown | Stage::Delivered | Stage::Cancelled => return Err(nothing_to_do(ctx)),
        };
        reach(next, ctx);
        Ok(told(ctx))
    }

    fn cancel(&self, _: OneOrder, ctx: &mut Context<OrderState>) -> Result<Reply<Order>, Failure> {
        match ctx.state().stage() {
            Stage::Placed | Stage::Paid | Stage::Packed => reach(Stage::Cancelled, ctx),
            Stage::Shipped => {
                return Err(format!(
                    "Order {} is under way; it is too late to cancel it.",
                    ctx.entity_id()
                )
                .into());
            }
            Stage::Unknown | Stage::Delivered | Stage::Cancelled => return Err(nothing_to_do(ctx)),
        }
        Ok(told(ctx))
    }

    fn get(&self, _: OneOrder, ctx: &mut Context<OrderState>) -> Result<Reply<Order>, Failure> {
        Ok(ctx.state().order.clone().into())
    }

    fn announce(&self, _: OneOrder, ctx: &mut Context<OrderState>) -> Result<Reply<()>, Failure> {
        Ok(Reply::empty().with_effect(tracking::calls::changed(ctx.state().order.clone())))
    }
}

fn reach(stage: Stage, ctx: &mut Context<OrderState>) {
    let at = Some(SystemTime::now().into());
    ctx.emit(StageReached {
        stage: stage.into(),
        at,
    });
}

/// Answers with the order. Those who follow it hear of it by a side effect, which runs when the events are durable.
fn told(ctx: &Context<OrderState>) -> Reply<Order> {
    let order = ctx.state().order.clone();
    Reply::new(order.clone()).with_effect(tracking::calls::changed(order))
}

fn nothing_to_do(ctx: &Context<OrderState>) -> Failure {
    let id = ctx.entity_id();
    match ctx.state().stage() {
        Stage::Unknown => format!("There is no order {id} yet.").into(),
        Stage::Cancelled => format!("Order {id} was cancelled.").into(),
        _ => format!("Order {id} has been delivered.").into(),
    }
}

#[cfg(test)]
mod tests;
