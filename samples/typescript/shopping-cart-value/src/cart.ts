// The shopping cart: one value, and what a command may do to it.

import { Failure, value } from "@cloudstate/cloudstate";

import { CartSchema } from "./gen/persistence_pb.js";
import { ShoppingCart } from "./gen/shoppingcart_pb.js";

/** A cart holds no more of a product than an int32 can count. */
const MOST = 2 ** 31 - 1;

export const shoppingCart = value(ShoppingCart, {
  persistenceId: "shopping-cart",
  state: CartSchema,
  commands: {
    addItem({ productId, name, quantity }, ctx) {
      if (quantity <= 0) throw new Failure(`Cannot add negative quantity to item ${productId}`);
      const items = ctx.state?.items ?? [];
      const item = items.find((item) => item.productId === productId);
      const others = items.filter((other) => other !== item);
      const total = Math.min((item?.quantity ?? 0) + quantity, MOST);
      const changed = [...others, { productId, name: item?.name ?? name, quantity: total }];
      ctx.update({ items: changed.sort((a, b) => (a.productId < b.productId ? -1 : 1)) });
    },
    removeItem({ productId }, ctx) {
      const items = ctx.state?.items ?? [];
      const others = items.filter((item) => item.productId !== productId);
      if (others.length === items.length) {
        throw new Failure(`Cannot remove item ${productId} because it is not in the cart.`);
      }
      ctx.update({ items: others });
    },
    getCart(_, ctx) {
      const items = ctx.state?.items ?? [];
      return { items: items.map(({ productId, name, quantity }) => ({ productId, name, quantity })) };
    },
    removeCart(_, ctx) {
      ctx.delete();
    },
  },
});
