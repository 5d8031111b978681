import assert from "node:assert/strict";
import { test } from "node:test";

import { EventSourcedTest } from "@cloudstate/cloudstate/testkit";

import { shoppingCart } from "./cart.js";
import { CartSchema, ItemAddedSchema } from "./gen/persistence_pb.js";
import { ShoppingCart } from "./gen/shoppingcart_pb.js";

const { addItem, removeItem, getCart } = ShoppingCart.method;

async function lines(cart: EventSourcedTest): Promise<[string, number][]> {
  const { items } = (await cart.call(getCart, {})).reply;
  return items.map(({ productId, quantity }) => [productId, quantity]);
}

test("quantities add up, in the order in which items were first added", async () => {
  const cart = new EventSourcedTest(shoppingCart);
  for (const [productId, quantity] of [
    ["hat", 1],
    ["shoe", 2],
    ["hat", 3],
  ] as const) {
    const outcome = await cart.call(addItem, { productId, name: `a ${productId}`, quantity });
    assert.equal(outcome.events(ItemAddedSchema).length, 1);
  }
  assert.deepEqual(await lines(cart), [
    ["hat", 4],
    ["shoe", 2],
  ]);
  cart.restart();
  assert.deepEqual(await lines(cart), [
    ["hat", 4],
    ["shoe", 2],
  ]);
});

test("what cannot be is declined, and leaves no event", async () => {
  const cart = new EventSourcedTest(shoppingCart);
  const negative = await cart.call(addItem, { productId: "hat", quantity: -1 });
  assert.equal(negative.failure, "Cannot add negative quantity to item hat");
  const absent = await cart.call(removeItem, { productId: "hat" });
  assert.equal(absent.failure, "Cannot remove item hat because it is not in the cart.");
  assert.equal(cart.eventCount, 0);
});

test("an item is removed, however many there are", async () => {
  const cart = new EventSourcedTest(shoppingCart);
  await cart.call(addItem, { productId: "hat", quantity: 7 });
  await cart.call(removeItem, { productId: "hat" });
  assert.deepEqual(await lines(cart), []);
});

test("a cart is the same from a snapshot, and holds no more than can be counted", async () => {
  const items = [{ productId: "hat", name: "a hat", quantity: 2 ** 31 - 2 }];
  const cart = new EventSourcedTest(shoppingCart).withSnapshot(CartSchema, { items });
  await cart.call(addItem, { productId: "hat", quantity: 5 });
  assert.deepEqual(await lines(cart), [["hat", 2 ** 31 - 1]]);
});

test("a snapshot is taken at the hundredth event", async () => {
  const cart = new EventSourcedTest(shoppingCart);
  for (let event = 1; event < 100; event++) await cart.call(addItem, { productId: "hat", quantity: 1 });
  const outcome = await cart.call(addItem, { productId: "hat", quantity: 1 });
  assert.equal(outcome.snapshot(CartSchema)?.items[0]?.quantity, 100);
});
