from google.protobuf.empty_pb2 import Empty

from cloudstate import Call, EventSourced
from cloudstate.testkit import EventSourcedTest
from shopping_cart.cart import ShoppingCartEntity
from shopping_cart.proto.persistence_pb2 import ItemAdded, LineItem
from shopping_cart.proto.shoppingcart_cloudstate import ShoppingCart
from shopping_cart.proto.shoppingcart_pb2 import AddLineItem, GetShoppingCart, RemoveLineItem


def new_cart() -> EventSourcedTest:
    return EventSourcedTest(EventSourced("shopping-cart", ShoppingCartEntity, snapshot_every=3))


def add(product: str, quantity: int) -> Call[Empty]:
    return ShoppingCart.add_item(
        AddLineItem(user_id="ann", product_id=product, name=f"name of {product}", quantity=quantity)
    )


def remove(product: str) -> Call[Empty]:
    return ShoppingCart.remove_item(RemoveLineItem(user_id="ann", product_id=product))


def quantities(cart: EventSourcedTest) -> list[tuple[str, int]]:
    items = cart.call(ShoppingCart.get_cart(GetShoppingCart(user_id="ann"))).reply.items
    return [(item.product_id, item.quantity) for item in items]


def test_quantities_add_up_in_the_order_of_first_addition() -> None:
    cart = new_cart()
    assert quantities(cart) == []
    for product, quantity in (("pear", 1), ("apple", 2), ("pear", 3)):
        cart.call(add(product, quantity))
    assert quantities(cart) == [("pear", 4), ("apple", 2)]
    cart.restart()
    assert quantities(cart) == [("pear", 4), ("apple", 2)], "from the snapshot"


def test_an_event_tells_the_whole_item() -> None:
    item = LineItem(productId="pear", name="name of pear", quantity=2)
    assert new_cart().call(add("pear", 2)).events == [ItemAdded(item=item)]


def test_a_quantity_below_one_is_declined() -> None:
    cart = new_cart()
    for quantity in (0, -1):
        assert cart.call(add("pear", quantity)).failure == "Cannot add negative quantity to item pear"
    assert cart.log == []


def test_only_what_is_there_is_removed() -> None:
    cart = new_cart()
    text = "Cannot remove item pear because it is not in the cart."
    assert cart.call(remove("pear")).failure == text
    cart.call(add("pear", 1))
    cart.call(add("apple", 1))
    cart.call(remove("pear"))
    cart.restart()
    assert quantities(cart) == [("apple", 1)]
    assert cart.call(remove("pear")).failure == text


def test_a_quantity_never_overflows() -> None:
    cart = new_cart()
    for _ in range(2):
        cart.call(add("pear", 2**31 - 1))
    assert quantities(cart) == [("pear", 2**31 - 1)]
