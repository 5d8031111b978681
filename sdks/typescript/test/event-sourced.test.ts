import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { EventSourcedMachine } from "../src/event-sourced/machine.js";
import { type Log, Metadata, eventSourced } from "../src/index.js";
import { payloadType } from "../src/payload.js";
import { type EventSourcedStreamIn, EventSourcedStreamInSchema } from "../src/protos/cloudstate/event_sourced_pb.js";
import { EventSourcedTest } from "../src/testkit/index.js";
import { counter, renamed } from "./fixtures.js";
import { ChangedSchema, Counter, TotalSchema } from "./gen/counters_pb.js";

const { increase, get, reset } = Counter.method;

test("events change the state at once, are stored, and build it again", async () => {
  const it = new EventSourcedTest(counter);
  const outcome = await it.call(increase, { by: 2n }, { metadata: Metadata.of({ who: "ann" }) });
  assert.equal(outcome.reply.value, 2n);
  assert.equal(outcome.metadata.get("seen"), "ann");
  assert.deepEqual(
    outcome.events(ChangedSchema).map(({ by }) => by),
    [2n],
  );
  it.restart();
  assert.equal((await it.call(get, {})).reply.value, 2n);
});

test("a handler may return nothing for an empty reply, and emit events of several types", async () => {
  const it = new EventSourcedTest(counter).withEvent(ChangedSchema, { by: 5n });
  const outcome = await it.call(reset, {});
  assert.equal(outcome.reply.$typeName, "google.protobuf.Empty");
  assert.deepEqual(outcome.events(renamed), [{ name: "reset" }]);
  assert.equal(outcome.eventCount, 2);
  assert.equal((await it.call(get, {})).reply.value, 0n);
});

test("a snapshot is due when any event reaches the interval, and holds the state after all", async () => {
  const it = new EventSourcedTest(counter).withEvent(ChangedSchema, { by: 1n });
  assert.equal((await it.call(increase, { by: 1n })).snapshot(TotalSchema), undefined);
  const third = await it.call(reset, {});
  assert.equal(third.snapshot(TotalSchema)?.value, 0n);
  it.restart();
  await it.call(increase, { by: 9n });
  assert.equal((await it.call(get, {})).reply.value, 9n);
  assert.equal(it.eventCount, 5);
});

test("a stored snapshot stands for the events before it", async () => {
  const it = new EventSourcedTest(counter)
    .withEvent(ChangedSchema, { by: 1n })
    .withSnapshot(TotalSchema, { value: 50n });
  it.withEvent(ChangedSchema, { by: 1n });
  assert.equal((await it.call(get, {})).reply.value, 51n);
});

test("a failure before any event leaves the entity as it is", async () => {
  const it = new EventSourcedTest(counter);
  const outcome = await it.call(increase, {});
  assert.equal(outcome.failure, "a counter must change");
  assert.equal(outcome.restarted, false);
  assert.deepEqual(it.log(ChangedSchema), []);
});

test("a failure after an event restarts the entity", async () => {
  const it = new EventSourcedTest(counter);
  const outcome = await it.call(increase, { by: 101n });
  assert.equal(outcome.failure, "too many");
  assert.equal(outcome.restarted, true);
  assert.equal((await it.call(get, {})).reply.value, 0n);
});

test("effects and forwards reach the proxy", async () => {
  const it = new EventSourcedTest(counter);
  const [effect] = (await it.call(increase, { by: 7n })).effects;
  assert.deepEqual(
    [effect?.service, effect?.command, effect?.synchronous],
    ["cloudstate.sdk.test.Counter", "Get", true],
  );
  const forwarded = await it.call(increase, { by: 8n });
  assert.equal(forwarded.forward.command, "Get");
  assert.equal(forwarded.forward.message(Counter.method.get.input).id, "other");
  assert.throws(
    () => forwarded.reply,
    /expected a reply, but the outcome is a forward to cloudstate.sdk.test.Counter.Get/,
  );
});

test("what a handler throws goes to the log, and ends the activation", async () => {
  const outcome = await new EventSourcedTest(counter).call(increase, { by: 66n });
  assert.equal(outcome.crash, "Unexpected failure: cannot count to 66");
});

const own = (commands: Parameters<typeof eventSourced<typeof Counter, { value: bigint }>>[1]["commands"]) =>
  new EventSourcedTest(
    eventSourced(Counter, {
      persistenceId: "own",
      initial: () => ({ value: 0n }),
      events: (on) => [
        on(ChangedSchema, ({ value }, { by }) => {
          if (by === 13n) throw new Error("thirteen is unlucky");
          return { value: value + by };
        }),
      ],
      commands,
    }),
  );

test("a failure that is caught still counts", async () => {
  const it = own({
    increase(_, ctx) {
      try {
        return ctx.fail("no");
      } catch {
        return { value: 1n };
      }
    },
    reset: () => undefined,
    get: () => ({}),
  });
  assert.equal((await it.call(increase, {})).failure, "no");
});

test("an event that cannot be applied breaks the entity, even if the handler catches that", async () => {
  const it = own({
    increase(_, ctx) {
      try {
        ctx.emit(ChangedSchema, { by: 13n });
      } catch {
        // As if nothing had happened.
      }
      return { value: 1n };
    },
    reset(_, ctx) {
      ctx.emit(TotalSchema, {});
    },
    get: () => undefined as never,
  });
  assert.equal((await it.call(increase, {})).crash, "Unexpected failure: thirteen is unlucky");
  assert.match(
    (await it.call(reset, {})).crash,
    /Counter \[test-entity\] has no handler for the event .*Total: add on\(…\)/,
  );
  assert.equal((await it.call(get, {})).crash, "Unexpected failure: No reply or forward returned by command handler!");
});

test("a context is of no use after its handler", async () => {
  let kept: { emit(type: typeof ChangedSchema, event: object): void; readonly state: unknown } | undefined;
  const it = own({
    increase(_, ctx) {
      kept = ctx;
      return {};
    },
    reset: () => undefined,
    get: () => ({}),
  });
  await it.call(increase, {});
  const expected = /the context of command Increase of cloudstate.sdk.test.Counter \[test-entity\] is no longer active/;
  assert.throws(() => kept?.emit(ChangedSchema, {}), expected);
  assert.throws(() => kept?.state, expected);
});

const logged: string[] = [];
const log: Log = { info: () => undefined, warn: () => undefined, error: (text) => logged.push(text) };
const machine = () => new EventSourcedMachine(new Map([[Counter.typeName, counter]]), log);
const streamIn = (message: EventSourcedStreamIn["message"]) => create(EventSourcedStreamInSchema, { message });
const init = streamIn({ case: "init", value: { serviceName: Counter.typeName, entityId: "a" } as never });
const command = (value: object) =>
  create(EventSourcedStreamInSchema, {
    message: { case: "command", value: { id: 5n, entityId: "a", name: "Get", ...value } },
  });

test("protocol errors have the texts of the protocol, the command's id, and end the stream", async () => {
  const payload = { typeUrl: "", value: new Uint8Array() };
  const event = (any: object) =>
    create(EventSourcedStreamInSchema, { message: { case: "event", value: { sequence: 1n, ...any } } });
  const unknown = create(EventSourcedStreamInSchema, { message: { case: "init", value: { serviceName: "x.Y" } } });
  const cases = [
    [[streamIn({ case: undefined })], 0n, "Protocol error: Received empty/unknown message"],
    [[command({ payload })], 0n, "Protocol error: Expected Init message"],
    [[unknown], 0n, "Protocol error: Service not found: x.Y"],
    [[init, init], 0n, "Protocol error: Entity already inited"],
    [[init, command({})], 5n, "Protocol error: No command payload"],
    [[init, command({ payload, name: "Shrink" })], 5n, "Protocol error: Unknown command: Shrink"],
    [
      [init, command({ payload, entityId: "b" })],
      5n,
      "Protocol error: Receiving entity is not the intended recipient of command",
    ],
    [[init, event({})], 0n, "Protocol error: No event payload"],
    [
      [init, event({ payload: payloadType(TotalSchema).encode({}) })],
      0n,
      "Unexpected failure: cloudstate.sdk.test.Counter [a] has no handler for the event type.googleapis.com/cloudstate.sdk.test.Total: add on(…) to its events",
    ],
    [[init, command({ payload: { typeUrl: "", value: Buffer.from("ff", "hex") } })], 5n, undefined],
  ] as const;
  for (const [messages, id, text] of cases) {
    const it = machine();
    let last = await it.receive(messages[0]);
    for (const message of messages.slice(1)) last = await it.receive(message);
    const out = last.send[0]?.message;
    assert.ok(last.end && out?.case === "failure", text);
    if (text === undefined)
      assert.match(out.value.description, /^Unexpected failure: malformed message of command Get: /);
    else assert.equal(out.value.description, text);
    assert.equal(out.value.commandId, id, text);
  }
  assert.match(logged.at(-1) ?? "", /cloudstate.sdk.test.Counter \[a\] failed at command 5; its activation ends: /);
});
