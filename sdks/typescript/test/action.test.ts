import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { respond } from "../src/action/machine.js";
import { action } from "../src/index.js";
import { type ActionCommand, ActionCommandSchema } from "../src/protos/cloudstate/action_pb.js";
import { ActionTest } from "../src/testkit/index.js";
import { sums } from "./fixtures.js";
import { Sums } from "./gen/counters_pb.js";

const { add, total, upTo, running } = Sums.method;
const it = new ActionTest(sums);

test("one in, one out", async () => {
  const outcome = await it.call(add, { left: 2n, right: 3n });
  assert.equal(outcome.reply.value, 5n);
  assert.deepEqual(
    outcome.effects.map(({ command }) => command),
    ["Increase"],
  );
});

test("a failure keeps its effects, and nothing can be said on purpose", async () => {
  const failed = await it.call(add, { right: 3n });
  assert.equal(failed.failure, "nothing to add");
  assert.equal(failed.effects.length, 1);
  const nothing = await it.call(add, { left: 1n });
  assert.ok(nothing.isNothing);
  assert.equal(nothing.effects.length, 1);
});

test("what a handler throws is not told to the client", async () => {
  const outcome = await it.call(add, { left: 66n });
  assert.equal(outcome.failure, "Error handling command Add of service cloudstate.sdk.test.Sums");
});

test("many in, one out", async () => {
  assert.equal((await it.callStreamedIn(total, [{ value: 1n }, { value: 2n }])).reply.value, 3n);
  assert.equal((await it.callStreamedIn(total, [])).reply.value, 0n);
});

test("one in, many out: yielded failures go on, and effects go with the next answer", async () => {
  const outcomes = await it.callStreamedOut(upTo, { value: 6n });
  assert.deepEqual(
    outcomes.slice(0, 3).map(({ reply }) => reply.value),
    [1n, 2n, 3n],
  );
  assert.equal(outcomes[3]?.failure, "four is skipped");
  assert.deepEqual([outcomes[4]?.reply.value, outcomes[4]?.effects.length], [6n, 1]);
  const last = (await it.callStreamedOut(upTo, { value: 5n })).at(-1);
  assert.ok(last?.isNothing);
  assert.equal(last.effects.length, 1, "effects after the last answer are not lost");
});

test("a thrown failure ends the stream", async () => {
  const outcomes = await it.callStreamedOut(upTo, { value: 70n });
  assert.equal(outcomes.at(-1)?.failure, "that is enough");
  assert.equal(outcomes.length, 65);
});

test("many in, many out", async () => {
  const outcomes = await it.callStreamed(running, [{ value: 1n }, { value: 2n }, { value: 3n }]);
  assert.deepEqual(
    outcomes.map(({ reply }) => reply.value),
    [1n, 3n, 6n],
  );
});

async function* stream(...commands: ActionCommand[]): AsyncGenerator<ActionCommand> {
  yield* commands;
}

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function failures(signal: AbortSignal, messages: AsyncIterable<ActionCommand>, served = sums): Promise<string[]> {
  const texts: string[] = [];
  for await (const { response } of respond(new Map([[Sums.typeName, served]]), messages, signal, log)) {
    texts.push(response.case === "failure" ? response.value.description : String(response.case));
  }
  return texts;
}

test("calls that cannot be handled are told why", async () => {
  const { signal } = new AbortController();
  const command = (value: object) => create(ActionCommandSchema, { serviceName: Sums.typeName, name: "Add", ...value });
  const garbage = { payload: { typeUrl: "", value: Buffer.from("ff", "hex") } };
  assert.deepEqual(await failures(signal, stream()), [
    "Cloudstate protocol failure: expected command message with service name and command name, but got empty stream",
  ]);
  assert.deepEqual(await failures(signal, stream(command({ serviceName: "x.Y" }))), ["Unknown service: x.Y"]);
  assert.deepEqual(await failures(signal, stream(command({ name: "Sub" }))), [
    "Unknown command: Sub of service cloudstate.sdk.test.Sums",
  ]);
  assert.deepEqual(await failures(signal, stream(command({}))), ["Protocol error: No command payload"]);
  const [malformed] = await failures(signal, stream(command(garbage)));
  assert.match(malformed ?? "", /^Protocol error: malformed command message: /);
  const [inStream] = await failures(signal, stream(command({ name: "Total" }), create(ActionCommandSchema, garbage)));
  assert.match(inStream ?? "", /^Protocol error: malformed command message: /);
});

test("a caller that goes ends the handler that reads its messages", async () => {
  const controller = new AbortController();
  let ended: unknown;
  const waiting = action(Sums, {
    add: () => ({}),
    async total(numbers, ctx) {
      try {
        for await (const { value } of numbers) assert.equal(value, 0n);
      } catch (error) {
        ended = error;
        assert.ok(ctx.signal.aborted);
        throw error;
      }
      return {};
    },
    upTo: async function* () {},
    running: async function* () {},
  });
  async function* leaving(): AsyncGenerator<ActionCommand> {
    yield create(ActionCommandSchema, { serviceName: Sums.typeName, name: "Total" });
    controller.abort();
    throw new Error("gone");
  }
  assert.deepEqual(await failures(controller.signal, leaving(), waiting), []);
  assert.equal((ended as Error).message, "gone");
});
