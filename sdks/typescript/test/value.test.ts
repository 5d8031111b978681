import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { value } from "../src/index.js";
import { ValueEntityStreamInSchema } from "../src/protos/cloudstate/value_entity_pb.js";
import { ValueTest } from "../src/testkit/index.js";
import { ValueMachine } from "../src/value/machine.js";
import { valueCounter } from "./fixtures.js";
import { Counter, TotalSchema } from "./gen/counters_pb.js";

const { increase, get, reset } = Counter.method;

test("a value is replaced, survives a restart, and is deleted", async () => {
  const it = new ValueTest(valueCounter);
  const outcome = await it.call(increase, { by: 2n });
  assert.equal(outcome.updated(TotalSchema)?.value, 2n);
  it.restart();
  assert.equal((await it.call(get, {})).reply.value, 2n);
  assert.equal((await it.call(reset, {})).deleted, true);
  assert.equal(it.value(TotalSchema), undefined);
  assert.equal((await it.call(get, {})).reply.value, 0n);
});

test("a failure undoes the change", async () => {
  const it = new ValueTest(valueCounter).withValue(TotalSchema, { value: 5n });
  const outcome = await it.call(increase, { by: 100n });
  assert.equal(outcome.failure, "too many");
  assert.equal(outcome.updated(TotalSchema), undefined);
  assert.equal((await it.call(get, {})).reply.value, 5n);
});

test("what a handler throws ends the activation, and the stored value is loaded again", async () => {
  const it = new ValueTest(valueCounter).withValue(TotalSchema, { value: 5n });
  assert.equal((await it.call(increase, { by: 66n })).crash, "Value entity unexpected failure: cannot count to 66");
  assert.equal((await it.call(get, {})).reply.value, 5n);
});

test("what a handler does to the value that it reads is not stored", async () => {
  const sneaky = value(Counter, {
    persistenceId: "sneaky",
    state: TotalSchema,
    commands: {
      increase(_, ctx) {
        if (ctx.state !== undefined) ctx.state.value = 99n;
        return { value: ctx.state?.value ?? 0n };
      },
      reset: (_, ctx) => {
        ctx.update({ value: 1n });
        ctx.delete();
        ctx.update({ value: 2n });
      },
      get: (_, ctx) => ({ value: ctx.state?.value ?? 0n }),
    },
  });
  const it = new ValueTest(sneaky).withValue(TotalSchema, { value: 5n });
  assert.equal((await it.call(increase, {})).reply.value, 99n);
  assert.equal((await it.call(get, {})).reply.value, 5n);
  assert.equal((await it.call(reset, {})).updated(TotalSchema)?.value, 2n);
});

test("protocol errors have the texts of the protocol", async () => {
  const payload = { typeUrl: "", value: new Uint8Array() };
  const init = create(ValueEntityStreamInSchema, {
    message: { case: "init", value: { serviceName: Counter.typeName, entityId: "a", state: {} } },
  });
  const command = (value: object) =>
    create(ValueEntityStreamInSchema, {
      message: { case: "command", value: { id: 5n, entityId: "a", name: "Get", ...value } },
    });
  const unknown = create(ValueEntityStreamInSchema, { message: { case: "init", value: { serviceName: "x.Y" } } });
  const cases = [
    [[create(ValueEntityStreamInSchema)], 0n, "Protocol error: Value entity received empty/unknown message"],
    [[command({ payload })], 0n, "Protocol error: Expected init message for Value entity"],
    [[unknown], 0n, "Protocol error: Service not found: x.Y"],
    [[init, init], 0n, "Protocol error: Value entity already inited"],
    [[init, command({})], 5n, "Protocol error: No command payload for Value entity"],
    [
      [init, command({ payload, entityId: "b" })],
      5n,
      "Protocol error: Receiving Value entity is not the intended recipient of command",
    ],
  ] as const;
  for (const [messages, id, text] of cases) {
    const it = new ValueMachine(new Map([[Counter.typeName, valueCounter]]), { info() {}, warn() {}, error() {} });
    let last = await it.receive(messages[0]);
    for (const message of messages.slice(1)) last = await it.receive(message);
    const out = last.send[0]?.message;
    assert.ok(last.end && out?.case === "failure", text);
    assert.deepEqual([out.value.description, out.value.commandId], [text, id]);
  }
});
