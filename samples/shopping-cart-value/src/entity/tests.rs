use cloudstate_testkit::ValueTest;

use super::*;
use shopping_cart::calls;

fn cart() -> ValueTest {
    ValueTest::new(shopping_cart::value("shopping-cart", ShoppingCartEntity))
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

fn quantities(cart: &mut ValueTest) -> Vec<(String, i32)> {
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
fn items_add_up_and_are_ordered_by_product() {
    let mut cart = cart();
    for (product, quantity) in [("pear", 1), ("apple", 2), ("pear", 3)] {
        cart.call(add(product, quantity)).reply();
    }
    assert_eq!(quantities(&mut cart), expected(&[("apple", 2), ("pear", 4)]));
    cart.restart();
    assert_eq!(
        quantities(&mut cart),
        expected(&[("apple", 2), ("pear", 4)]),
        "after a restart"
    );
}

#[test]
fn reading_stores_nothing() {
    let mut cart = cart();
    let outcome = cart.call(calls::get_cart(GetShoppingCart::default()));
    assert_eq!(outcome.updated::<Cart>(), None);
    assert!(!outcome.deleted());
}

#[test]
fn quantities_below_one_are_declined() {
    let mut cart = cart();
    for quantity in [0, -1] {
        let outcome = cart.call(add("pear", quantity));
        assert_eq!(outcome.failure(), "Cannot add negative quantity of to item pear");
    }
    assert_eq!(cart.value::<Cart>(), None);
}

#[test]
fn a_removed_item_is_gone_and_cannot_be_removed_again() {
    let mut cart = cart();
    cart.call(add("pear", 2)).reply();
    cart.call(remove("pear")).reply();
    assert_eq!(quantities(&mut cart), []);
    assert_eq!(
        cart.call(remove("pear")).failure(),
        "Cannot remove item pear because it is not in the cart."
    );
}

#[test]
fn a_removed_cart_is_deleted_and_starts_anew() {
    let mut cart = cart();
    cart.call(add("pear", 2)).reply();
    assert!(
        cart.call(calls::remove_cart(RemoveShoppingCart::default()))
            .deleted()
    );
    assert_eq!(cart.value::<Cart>(), None);
    cart.call(add("apple", 1)).reply();
    assert_eq!(quantities(&mut cart), expected(&[("apple", 1)]));
}
