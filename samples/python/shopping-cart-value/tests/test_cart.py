from google.protobuf.empty_pb2 import Empty

from cloudstate import Call, Value
from cloudstate.testkit import ValueTest
from shopping_cart_value.cart import ShoppingCartEntity
from shopping_cart_value.proto.persistence_pb2 import Cart, LineItem
from shopping_cart_value.proto.shoppingcart_cloudstate import ShoppingCart
from shopping_cart_value.proto.shoppingcart_pb2 import AddLineItem, GetShoppingCart, RemoveLineItem, RemoveShoppingCart


def new_cart() -> ValueTest:
    return ValueTest(Value("shopping-cart", ShoppingCartEntity))


def add(product: str, quantity: int) -> Call[Empty]:
    return ShoppingCart.add_item(
        AddLineItem(user_id="ann", product_id=product, name=f"name of {product}", quantity=quantity)
    )


def remove(product: str) -> Call[Empty]:
    return ShoppingCart.remove_item(RemoveLineItem(user_id="ann", product_id=product))


def quantities(cart: ValueTest) -> list[tuple[str, int]]:
    items = cart.call(ShoppingCart.get_cart(GetShoppingCart(user_id="ann"))).reply.items
    return [(item.product_id, item.quantity) for item in items]


def test_quantities_add_up_and_items_are_ordered_by_product() -> None:
    cart = new_cart()
    assert quantities(cart) == []
    for product, quantity in (("pear", 1), ("apple", 2), ("pear", 3)):
        cart.call(add(product, quantity))
    cart.restart()
    assert quantities(cart) == [("apple", 2), ("pear", 4)]


def test_the_whole_cart_is_stored() -> None:
    item = LineItem(productId="pear", name="name of pear", quantity=2)
    assert new_cart().call(add("pear", 2)).updated == Cart(items=[item])


def test_what_is_declined_changes_nothing() -> None:
    cart = new_cart()
    for quantity in (0, -1):
        assert cart.call(add("pear", quantity)).failure == "Cannot add negative quantity of to item pear"
    assert cart.call(remove("pear")).failure == "Cannot remove item pear because it is not in the cart."
    assert cart.value is None


def test_items_and_carts_are_removed() -> None:
    cart = new_cart()
    cart.call(add("pear", 1))
    cart.call(add("apple", 1))
    cart.call(remove("pear"))
    assert quantities(cart) == [("apple", 1)]
    assert cart.call(ShoppingCart.remove_cart(RemoveShoppingCart(user_id="ann"))).deleted
    assert (quantities(cart), cart.value) == ([], None)


def test_a_quantity_never_overflows() -> None:
    cart = new_cart()
    for _ in range(2):
        cart.call(add("pear", 2**31 - 1))
    assert quantities(cart) == [("pear", 2**31 - 1)]
