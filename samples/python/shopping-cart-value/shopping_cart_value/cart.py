"""The shopping cart: what the commands do to it."""

from bisect import bisect_left

from cloudstate import Failure
from cloudstate.value import Context

from .proto.persistence_pb2 import Cart as StoredCart
from .proto.persistence_pb2 import LineItem as StoredItem
from .proto.shoppingcart_cloudstate import ShoppingCartValue
from .proto.shoppingcart_pb2 import AddLineItem, Cart, GetShoppingCart, LineItem, RemoveLineItem, RemoveShoppingCart

# A cart holds no more of a product than an int32 can count.
MOST = 2**31 - 1


class ShoppingCartEntity(ShoppingCartValue[StoredCart]):
    """One cart, stored as a whole. The items are ordered by product id."""

    async def add_item(self, command: AddLineItem, ctx: Context[StoredCart]) -> None:
        if command.quantity <= 0:
            raise Failure(f"Cannot add negative quantity of to item {command.product_id}")
        cart = ctx.state or StoredCart()
        index, found = position(cart, command.product_id)
        if found:
            item = cart.items[index]
            item.quantity = min(item.quantity + command.quantity, MOST)
        else:
            added = StoredItem(productId=command.product_id, name=command.name, quantity=command.quantity)
            cart.items.insert(index, added)
        ctx.update(cart)

    async def remove_item(self, command: RemoveLineItem, ctx: Context[StoredCart]) -> None:
        cart = ctx.state or StoredCart()
        index, found = position(cart, command.product_id)
        if not found:
            raise Failure(f"Cannot remove item {command.product_id} because it is not in the cart.")
        del cart.items[index]
        ctx.update(cart)

    async def get_cart(self, command: GetShoppingCart, ctx: Context[StoredCart]) -> Cart:
        items = (ctx.state or StoredCart()).items
        return Cart(items=[LineItem(product_id=it.productId, name=it.name, quantity=it.quantity) for it in items])

    async def remove_cart(self, command: RemoveShoppingCart, ctx: Context[StoredCart]) -> None:
        ctx.delete()


def position(cart: StoredCart, product_id: str) -> tuple[int, bool]:
    """Returns where the product is, or would have to be inserted, and whether it is there."""
    index = bisect_left(cart.items, product_id, key=lambda item: item.productId)
    return index, index < len(cart.items) and cart.items[index].productId == product_id
