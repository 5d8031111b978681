//! The decisions: what a command may do to the cart.

use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{Failure, Reply};

use crate::cart::Cart;
use crate::proto::com::example::shoppingcart::persistence::{self, ItemAdded, ItemRemoved};
use crate::proto::com::example::shoppingcart::{
    self as api, AddLineItem, GetShoppingCart, LineItem, RemoveLineItem, shopping_cart,
};

/// Handles the commands of every cart.
pub(crate) struct ShoppingCartEntity;

impl shopping_cart::EventSourcedEntity for ShoppingCartEntity {
    type State = Cart;

    fn add_item(&self, command: AddLineItem, ctx: &mut Context<Cart>) -> Result<Reply<()>, Failure> {
        let AddLineItem {
            product_id,
            name,
            quantity,
            ..
        } = command;
        if quantity <= 0 {
            return Err(format!("Cannot add negative quantity to item {product_id}").into());
        }
        ctx.emit(ItemAdded {
            item: Some(persistence::LineItem {
                product_id,
                name,
                quantity,
            }),
        });
        Ok(Reply::empty())
    }

    fn remove_item(&self, command: RemoveLineItem, ctx: &mut Context<Cart>) -> Result<Reply<()>, Failure> {
        let RemoveLineItem { product_id, .. } = command;
        if !ctx.state().contains(&product_id) {
            return Err(format!("Cannot remove item {product_id} because it is not in the cart.").into());
        }
        ctx.emit(ItemRemoved { product_id });
        Ok(Reply::empty())
    }

    fn get_cart(&self, _: GetShoppingCart, ctx: &mut Context<Cart>) -> Result<Reply<api::Cart>, Failure> {
        let items = ctx.state().items.iter().cloned().map(LineItem::from).collect();
        Ok(Reply::new(api::Cart { items }))
    }
}

impl From<persistence::LineItem> for LineItem {
    fn from(item: persistence::LineItem) -> Self {
        LineItem {
            product_id: item.product_id,
            name: item.name,
            quantity: item.quantity,
        }
    }
}

#[cfg(test)]
mod tests;
