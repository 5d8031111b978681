//! What the commands do to a cart.

use cloudstate_sdk::value::Context;
use cloudstate_sdk::{Failure, Reply};

use crate::proto::com::example::valueentity::shoppingcart::persistence::{Cart, LineItem};
use crate::proto::com::example::valueentity::shoppingcart::{
    self as api, AddLineItem, GetShoppingCart, RemoveLineItem, RemoveShoppingCart, shopping_cart,
};

/// Handles the commands of every cart.
pub(crate) struct ShoppingCartEntity;

impl shopping_cart::ValueEntity for ShoppingCartEntity {
    type State = Cart;

    fn add_item(&self, command: AddLineItem, ctx: &mut Context<Cart>) -> Result<Reply<()>, Failure> {
        let AddLineItem {
            product_id,
            name,
            quantity,
            ..
        } = command;
        if quantity <= 0 {
            return Err(format!("Cannot add negative quantity of to item {product_id}").into());
        }
        let mut cart = ctx.state().cloned().unwrap_or_default();
        match position(&cart, &product_id) {
            Ok(index) => {
                let item = &mut cart.items[index];
                // A cart holds no more than an i32 can count, rather than a negative number.
                item.quantity = item.quantity.saturating_add(quantity);
            }
            Err(index) => cart.items.insert(
                index,
                LineItem {
                    product_id,
                    name,
                    quantity,
                },
            ),
        }
        ctx.update(cart);
        Ok(Reply::empty())
    }

    fn remove_item(&self, command: RemoveLineItem, ctx: &mut Context<Cart>) -> Result<Reply<()>, Failure> {
        let mut cart = ctx.state().cloned().unwrap_or_default();
        let Ok(index) = position(&cart, &command.product_id) else {
            let product_id = command.product_id;
            return Err(format!("Cannot remove item {product_id} because it is not in the cart.").into());
        };
        cart.items.remove(index);
        ctx.update(cart);
        Ok(Reply::empty())
    }

    fn get_cart(&self, _: GetShoppingCart, ctx: &mut Context<Cart>) -> Result<Reply<api::Cart>, Failure> {
        let items = ctx
            .state()
            .map(|cart| cart.items.iter().cloned().map(Into::into).collect());
        Ok(Reply::new(api::Cart {
            items: items.unwrap_or_default(),
        }))
    }

    fn remove_cart(&self, _: RemoveShoppingCart, ctx: &mut Context<Cart>) -> Result<Reply<()>, Failure> {
        ctx.delete();
        Ok(Reply::empty())
    }
}

/// Where the product is, or where it would have to be inserted: items are ordered by product id.
fn position(cart: &Cart, product_id: &str) -> Result<usize, usize> {
    cart.items
        .binary_search_by(|item| item.product_id.as_str().cmp(product_id))
}

impl From<LineItem> for api::LineItem {
    fn from(item: LineItem) -> Self {
        api::LineItem {
            product_id: item.product_id,
            name: item.name,
            quantity: item.quantity,
        }
    }
}

#[cfg(test)]
mod tests;
