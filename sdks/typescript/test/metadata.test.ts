import assert from "node:assert/strict";
import { test } from "node:test";

import { Metadata } from "../src/index.js";

test("keys are found whatever their case, and kept as they are", () => {
  const metadata = Metadata.of([
    ["Who", "ann"],
    ["who", "bob"],
    ["blob", new Uint8Array([1])],
  ]);
  assert.equal(metadata.get("WHO"), "ann");
  assert.deepEqual(metadata.getAll("who"), ["ann", "bob"]);
  assert.equal(metadata.get("blob"), undefined);
  assert.deepEqual(metadata.getBytes("Blob"), new Uint8Array([1]));
  assert.deepEqual(
    [...metadata.without("WHO")].map(([key]) => key),
    ["blob"],
  );
  assert.deepEqual([...Metadata.from(metadata.toWire())], [...metadata]);
  assert.equal(Metadata.empty.toWire(), undefined);
});

test("a CloudEvent needs four attributes", () => {
  const some = Metadata.of({ "ce-id": "1", "ce-source": "carts", "ce-specversion": "1.0", "ce-subject": "ann" });
  assert.equal(some.cloudEvent(), undefined);
  const event = some.with("CE-Type", "added").with("content-type", "application/json").cloudEvent();
  assert.deepEqual(
    [event?.id, event?.type, event?.subject, event?.datacontenttype, event?.time],
    ["1", "added", "ann", "application/json", undefined],
  );
});
