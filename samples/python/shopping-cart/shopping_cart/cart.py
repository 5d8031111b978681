"""The shopping cart: what its events say is in it, and what a command may do to it."""

from cloudstate import Failure, Snapshots
from cloudstate.event_sourced import Context

from .proto.persistence_pb2 import Cart as StoredCart
from .proto.persistence_pb2 import ItemAdded, ItemRemoved
from .proto.persistence_pb2 import LineItem as StoredItem
from .proto.shoppingcart_cloudstate import ShoppingCartEventSourced
from .proto.shoppingcart_pb2 import AddLineItem, Cart, GetShoppingCart, LineItem, RemoveLineItem

Event = ItemAdded | ItemRemoved

# A cart holds no more of a product than an int32 can count.
MOST = 2**31 - 1


class ShoppingCartEntity(ShoppingCartEventSourced[ItemAdded | ItemRemoved], Snapshots[StoredCart]):
    """One cart. The items are in the order in which they were first added."""

    def __init__(self) -> None:
        self.items: dict[str, StoredItem] = {}

    def apply(self, event: Event) -> None:
        """Changes the state as the event says."""
        match event:
            case ItemAdded():
                self.add(event.item)
            case ItemRemoved():
                self.items.pop(event.productId, None)

    def add(self, added: StoredItem) -> None:
        item = self.items.get(added.productId)
        if item is None:
            self.items[added.productId] = added
        else:
            item.quantity = min(item.quantity + added.quantity, MOST)

    def snapshot(self) -> StoredCart:
        return StoredCart(items=self.items.values())

    def restore(self, snapshot: StoredCart) -> None:
        self.items = {item.productId: item for item in snapshot.items}

    async def add_item(self, command: AddLineItem, ctx: Context[Event]) -> None:
        if command.quantity <= 0:
            raise Failure(f"Cannot add negative quantity to item {command.product_id}")
        item = StoredItem(productId=command.product_id, name=command.name, quantity=command.quantity)
        ctx.emit(ItemAdded(item=item))

    async def remove_item(self, command: RemoveLineItem, ctx: Context[Event]) -> None:
        if command.product_id not in self.items:
            raise Failure(f"Cannot remove item {command.product_id} because it is not in the cart.")
        ctx.emit(ItemRemoved(productId=command.product_id))

    async def get_cart(self, command: GetShoppingCart, ctx: Context[Event]) -> Cart:
        items = self.items.values()
        return Cart(items=[LineItem(product_id=it.productId, name=it.name, quantity=it.quantity) for it in items])
