// The shopping cart: what its events say is in it, and what a command may do to it.

import { eventSourced, Failure } from "@cloudstate/cloudstate";

import { CartSchema, ItemAddedSchema, ItemRemovedSchema, type LineItem } from "./gen/persistence_pb.js";
import { ShoppingCart } from "./gen/shoppingcart_pb.js";

/** A cart holds no more of a product than an int32 can count. */
const MOST = 2 ** 31 - 1;

/** Items by product, in the order in which they were first added. */
type Items = Map<string, LineItem>;

export const shoppingCart = eventSourced(ShoppingCart, {
  persistenceId: "shopping-cart",
  snapshotEvery: 100,
  initial: (): Items => new Map(),
  events: (on) => [
    on(ItemAddedSchema, (items, { item }) => {
      if (item === undefined) return;
      const quantity = (items.get(item.productId)?.quantity ?? 0) + item.quantity;
      const name = items.get(item.productId)?.name ?? item.name;
      items.set(item.productId, { ...item, name, quantity: Math.min(quantity, MOST) });
    }),
    on(ItemRemovedSchema, (items, { productId }) => {
      items.delete(productId);
    }),
  ],
  snapshot: {
    type: CartSchema,
    take: (items) => ({ items: [...items.values()] }),
    restore: ({ items }) => new Map(items.map((item) => [item.productId, item])),
  },
  commands: {
    addItem({ productId, name, quantity }, ctx) {
      if (quantity <= 0) throw new Failure(`Cannot add negative quantity to item ${productId}`);
      ctx.emit(ItemAddedSchema, { item: { productId, name, quantity } });
    },
    removeItem({ productId }, ctx) {
      if (!ctx.state.has(productId)) {
        throw new Failure(`Cannot remove item ${productId} because it is not in the cart.`);
      }
      ctx.emit(ItemRemovedSchema, { productId });
    },
    getCart(_, ctx) {
      const items = [...ctx.state.values()];
      return { items: items.map(({ productId, name, quantity }) => ({ productId, name, quantity })) };
    },
  },
});
