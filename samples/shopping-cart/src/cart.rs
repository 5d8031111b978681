//! The state: what the events say is in the cart.

use cloudstate_sdk::{EventSourced, Snapshot, payloads};

use crate::proto::com::example::shoppingcart::persistence::{self, ItemAdded, ItemRemoved, LineItem};

payloads! {
    /// What can happen to a cart.
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) enum CartEvent {
        ItemAdded(ItemAdded),
        ItemRemoved(ItemRemoved),
    }
}

/// The items of one user, in the order in which they were first added.
#[derive(Debug, Default)]
pub(crate) struct Cart {
    pub(crate) items: Vec<LineItem>,
}

impl Cart {
    pub(crate) fn contains(&self, product_id: &str) -> bool {
        self.items.iter().any(|item| item.product_id == product_id)
    }

    fn add(&mut self, added: LineItem) {
        match self
            .items
            .iter_mut()
            .find(|item| item.product_id == added.product_id)
        {
            // A cart holds no more than an i32 can count, rather than a negative number.
            Some(item) => item.quantity = item.quantity.saturating_add(added.quantity),
            None => self.items.push(added),
        }
    }
}

impl EventSourced for Cart {
    type Event = CartEvent;
    type Snapshot = persistence::Cart;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::ItemAdded(added) => self.add(added.item.unwrap_or_default()),
            CartEvent::ItemRemoved(removed) => {
                self.items.retain(|item| item.product_id != removed.product_id)
            }
        }
    }
}

impl Snapshot<Cart> for persistence::Cart {
    fn of(cart: &Cart) -> Option<Self> {
        Some(persistence::Cart {
            items: cart.items.clone(),
        })
    }

    fn restore(self, cart: &mut Cart) {
        cart.items = self.items;
    }
}
