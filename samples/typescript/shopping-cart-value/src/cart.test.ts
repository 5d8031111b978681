import assert from "node:assert/strict";
import { test } from "node:test";

import { ValueTest } from "@cloudstate/cloudstate/testkit";

import { shoppingCart } from "./cart.js";
import { CartSchema } from "./gen/persistence_pb.js";
import { ShoppingCart } from "./gen/shoppingcart_pb.js";

const { addItem, removeItem, getCart, removeCart } = ShoppingCart.method;

async function lines(cart: ValueTest): Promise<[string, number][]> {
  const { items } = (await cart.call(getCart, {})).reply;
  return items.map(({ productId, quantity }) => [productId, quantity]);
}

test("quantities add up, ordered by product", async () => {
  const cart = new ValueTest(shoppingCart);
  for (const [productId, quantity] of [
    ["shoe", 2],
    ["hat", 1],
    ["shoe", 3],
  ] as const) {
    await cart.call(addItem, { productId, name: `a ${productId}`, quantity });
  }
  assert.deepEqual(await lines(cart), [
    ["hat", 1],
    ["shoe", 5],
  ]);
  cart.restart();
  assert.deepEqual(await lines(cart), [
    ["hat", 1],
    ["shoe", 5],
  ]);
});

test("what cannot be is declined, and changes nothing", async () => {
  const cart = new ValueTest(shoppingCart).withValue(CartSchema, { items: [{ productId: "hat", quantity: 1 }] });
  const negative = await cart.call(addItem, { productId: "hat", quantity: 0 });
  assert.equal(negative.failure, "Cannot add negative quantity to item hat");
  const absent = await cart.call(removeItem, { productId: "shoe" });
  assert.equal(absent.failure, "Cannot remove item shoe because it is not in the cart.");
  assert.deepEqual(await lines(cart), [["hat", 1]]);
});

test("an item and a whole cart are removed", async () => {
  const cart = new ValueTest(shoppingCart);
  await cart.call(addItem, { productId: "hat", quantity: 7 });
  await cart.call(addItem, { productId: "shoe", quantity: 2 ** 31 - 1 });
  await cart.call(addItem, { productId: "shoe", quantity: 1 });
  await cart.call(removeItem, { productId: "hat" });
  assert.deepEqual(await lines(cart), [["shoe", 2 ** 31 - 1]]);
  assert.equal((await cart.call(removeCart, {})).deleted, true);
  assert.deepEqual(await lines(cart), []);
});
