use cloudstate_testkit::EventSourcedTest;

use super::*;
use crate::cart::CartEvent;
use shopping_cart::calls;

fn cart() -> EventSourcedTest {
    EventSourcedTest::new(shopping_cart::event_sourced("shopping-cart", ShoppingCartEntity).snapshot_every(3))
}

fn add(product_id: &str, quantity: i32) -> cloudstate_sdk::Call<()> {
    calls::add_item(AddLineItem {
        user_id: "ann".into(),
        product_id: product_id.into(),
        name: format!("name of {product_id}"),
        quantity,
    })
}

fn remove(product_id: &str) -> cloudstate_sdk::Call<()> {
    calls::remove_item(RemoveLineItem {
        user_id: "ann".into(),
        product_id: product_id.into(),
    })
}

fn quantities(cart: &mut EventSourcedTest) -> Vec<(String, i32)> {
    let items = cart
        .call(calls::get_cart(GetShoppingCart::default()))
        .reply()
        .items;
    items
        .into_iter()
        .map(|item| (item.product_id, item.quantity))
        .collect()
}

fn expected(items: &[(&str, i32)]) -> Vec<(String, i32)> {
    items
        .iter()
        .map(|(id, quantity)| ((*id).to_owned(), *quantity))
        .collect()
}

#[test]
fn a_new_cart_is_empty() {
    assert_eq!(quantities(&mut cart()), []);
}

#[test]
fn quantities_add_up_in_the_order_of_first_addition() {
    let mut cart = cart();
    for (product, quantity) in [("pear", 1), ("apple", 2), ("pear", 3)] {
        cart.call(add(product, quantity)).reply();
    }
    assert_eq!(quantities(&mut cart), expected(&[("pear", 4), ("apple", 2)]));
    cart.restart();
    assert_eq!(
        quantities(&mut cart),
        expected(&[("pear", 4), ("apple", 2)]),
        "after replay"
    );
}

#[test]
fn adding_stores_one_event() {
    let outcome = cart().call(add("pear", 2));
    let item = persistence::LineItem {
        product_id: "pear".into(),
        name: "name of pear".into(),
        quantity: 2,
    };
    assert_eq!(
        outcome.events::<CartEvent>(),
        [CartEvent::ItemAdded(ItemAdded { item: Some(item) })]
    );
}

#[test]
fn quantities_below_one_are_declined() {
    for quantity in [0, -1] {
        let outcome = cart().call(add("pear", quantity));
        assert_eq!(outcome.failure(), "Cannot add negative quantity to item pear");
        assert!(outcome.events::<CartEvent>().is_empty() && !outcome.restarted());
    }
}

#[test]
fn a_removed_item_is_gone_and_cannot_be_removed_again() {
    let mut cart = cart();
    cart.call(add("pear", 2)).reply();
    assert_eq!(
        cart.call(remove("pear")).events::<CartEvent>(),
        [CartEvent::ItemRemoved(ItemRemoved {
            product_id: "pear".into()
        })]
    );
    assert_eq!(quantities(&mut cart), []);
    assert_eq!(
        cart.call(remove("pear")).failure(),
        "Cannot remove item pear because it is not in the cart."
    );
}

#[test]
fn a_snapshot_stands_for_the_events_before_it() {
    let mut cart = cart();
    assert_eq!(cart.call(add("a", 1)).snapshot::<persistence::Cart>(), None);
    assert_eq!(cart.call(add("b", 2)).snapshot::<persistence::Cart>(), None);
    let snapshot = cart
        .call(add("a", 3))
        .snapshot::<persistence::Cart>()
        .map(|cart| cart.items.len());
    assert_eq!(snapshot, Some(2), "the third event is due for a snapshot");
    cart.call(add("c", 5)).reply();
    cart.restart();
    assert_eq!(quantities(&mut cart), expected(&[("a", 4), ("b", 2), ("c", 5)]));
}

#[test]
fn a_quantity_never_overflows() {
    let mut cart = cart();
    cart.call(add("pear", i32::MAX)).reply();
    cart.call(add("pear", 1)).reply();
    assert_eq!(quantities(&mut cart), expected(&[("pear", i32::MAX)]));
}
