import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { CrdtMachine } from "../src/crdt/machine.js";
import { GCounter, Vote, call, crdt } from "../src/index.js";
import { type CrdtStreamIn, CrdtStreamInSchema, type CrdtStreamOut } from "../src/protos/cloudstate/crdt_pb.js";
import { CrdtTest } from "../src/testkit/index.js";
import { room } from "./fixtures.js";
import { Room } from "./gen/counters_pb.js";

const { enter, watch, close } = Room.method;

test("a change is replicated, and survives a restart", async () => {
  const it = new CrdtTest(room);
  const outcome = await it.call(enter, { by: 2n });
  assert.equal(outcome.reply.value, 2n);
  assert.deepEqual([outcome.changed, outcome.writeConsistency], [true, "local"]);
  await it.replicate((state) => state.increment(40));
  it.restart();
  assert.equal((await it.call(enter, { by: 1n })).reply.value, 43n);
});

test("the first change of others makes the state", async () => {
  const it = new CrdtTest(room);
  const stream = await it.open(watch, {});
  assert.equal(stream.first.reply.value, 0n);
  assert.equal(stream.first.changed, false, "nobody has changed it");
  await it.replicate((state) => state.increment(40));
  assert.deepEqual(
    stream.take().map(({ reply }) => reply.value),
    [40n],
  );
});

test("a failure takes the change back, and the entity goes on", async () => {
  const it = new CrdtTest(room);
  await it.call(enter, { by: 2n });
  const failed = await it.call(enter, {});
  assert.deepEqual([failed.failure, failed.changed], ["nobody enters", false]);
  const crashed = await it.call(enter, { by: 66n });
  assert.equal(crashed.crash, "Unexpected failure: cannot count to 66");
  assert.equal((await it.call(enter, { by: 1n })).reply.value, 3n);
});

test("streams hear of the changes of other commands, and can be ended", async () => {
  const it = new CrdtTest(room);
  const [one, other] = [await it.open(watch, {}), await it.open(watch, {})];
  await it.call(enter, { by: 2n });
  assert.deepEqual(
    one.take().map(({ reply }) => reply.value),
    [2n],
  );
  await it.call(enter, { by: 100n });
  assert.deepEqual(
    other.take().map(({ reply }) => reply.value),
    [2n, 102n],
  );
  assert.equal(other.open, false);
});

test("a cancelled stream may change the state, which others hear of", async () => {
  const it = new CrdtTest(room);
  const [one, other] = [await it.open(watch, {}), await it.open(watch, {})];
  assert.deepEqual(await one.cancel(), { effects: [], changed: true });
  assert.deepEqual(
    other.take().map(({ reply }) => reply.value),
    [-100n],
  );
  assert.deepEqual(one.take(), []);
});

test("a change callback must not change the state; that fails its stream only", async () => {
  const it = new CrdtTest(room);
  const stream = await it.open(watch, {});
  const outcome = await it.call(enter, { by: 13n });
  assert.equal(outcome.reply.value, 13n);
  assert.equal(stream.take()[0]?.failure, "Error handling a change for command Watch");
  assert.equal(stream.open, false);
  assert.equal((await it.call(enter, { by: 1n })).reply.value, 14n);
  assert.deepEqual(await stream.cancel(), { effects: [], changed: true }, "the proxy cancels it then");
});

test("deleting is told, and afterwards commands are declined", async () => {
  const it = new CrdtTest(room);
  await it.call(enter, { by: 1n });
  const deleted = await it.call(close, {});
  assert.deepEqual([deleted.deleted, deleted.changed], [true, false]);
  assert.equal((await it.call(enter, { by: 1n })).failure, "Entity deleted");
  const elsewhere = new CrdtTest(room);
  await elsewhere.call(enter, { by: 1n });
  await elsewhere.replicateDelete();
  assert.equal((await elsewhere.call(enter, { by: 1n })).failure, "Entity deleted");
});

test("votes of other nodes are seen", async () => {
  const poll = crdt(Room, {
    state: () => new Vote(),
    commands: {
      enter({ by }, ctx) {
        ctx.state.vote(by > 0n);
        ctx.writeConsistency = "majority";
        ctx.effect(call(Room.method.close, { id: "x" }));
        return { value: BigInt(ctx.state.votesFor) };
      },
      watch: () => undefined,
      close: () => undefined,
    },
  });
  const it = new CrdtTest(poll);
  await it.replicateVotes({ selfVote: false, votesFor: 3, totalVoters: 5 });
  const outcome = await it.call(enter, { by: 1n });
  assert.equal(outcome.reply.value, 4n);
  assert.deepEqual([outcome.writeConsistency, outcome.effects.length], ["majority", 1]);
  const declined = await it.open(watch, {});
  assert.ok(declined.first.isNothing && !declined.open, "no callback, no stream");
});

const machine = () => new CrdtMachine(new Map([[Room.typeName, room]]), { info() {}, warn() {}, error() {} });
const streamIn = (message: object): CrdtStreamIn => create(CrdtStreamInSchema, { message: message as never });
const init = streamIn({ case: "init", value: { serviceName: Room.typeName, entityId: "a" } });
const payload = { typeUrl: "", value: new Uint8Array() };
const command = (value: object): CrdtStreamIn =>
  streamIn({ case: "command", value: { id: 5n, entityId: "a", name: "Enter", payload, ...value } });
const cancelled = (id: bigint): CrdtStreamIn => streamIn({ case: "streamCancelled", value: { entityId: "a", id } });

async function last(
  ...messages: CrdtStreamIn[]
): Promise<{ sent: CrdtStreamOut["message"]; all: number; end: boolean }> {
  const it = machine();
  let step = { send: [] as readonly CrdtStreamOut[], end: false };
  for (const message of messages) step = await it.receive(message);
  return { sent: step.send[0]?.message ?? { case: undefined }, all: step.send.length, end: step.end };
}

test("every cancellation is answered", async () => {
  const open = (value: object): CrdtStreamIn => command({ name: "Watch", streamed: true, ...value });
  const answers = [
    [init, cancelled(9n)],
    [init, open({ streamed: false }), cancelled(5n)],
    [init, open({}), cancelled(5n), cancelled(5n)],
    [init, open({}), streamIn({ case: "delete", value: {} }), cancelled(5n)],
  ];
  for (const messages of answers) {
    const { sent, all, end } = await last(...messages);
    assert.deepEqual([sent.case, all, end], ["streamCancelledResponse", 1, false]);
    assert.ok(sent.case === "streamCancelledResponse" && sent.value.stateAction === undefined);
  }
  const { sent } = await last(init, open({}), cancelled(5n));
  assert.ok(sent.case === "streamCancelledResponse" && sent.value.stateAction?.action.case === "update");
});

test("a cancel callback that throws changes nothing, and is answered", async () => {
  const broken = crdt(Room, {
    state: () => new GCounter(),
    commands: {
      enter: (_, ctx) => ({ value: ctx.state.value }),
      watch(_, ctx) {
        ctx.onCancel((cancel) => {
          cancel.state.increment();
          throw new Error("broken");
        });
      },
      close: () => undefined,
    },
  });
  const it = new CrdtTest(broken);
  const stream = await it.open(watch, {});
  assert.ok(stream.open && stream.first.isNothing);
  assert.deepEqual(await stream.cancel(), { effects: [], changed: false });
  assert.equal((await it.call(enter, {})).reply.value, 0n);
});

test("the reply comes before what streams have to say to it", async () => {
  const it = machine();
  await it.receive(init);
  await it.receive(command({ id: 1n, name: "Watch", streamed: true }));
  const { send } = await it.receive(command({ id: 2n, payload: { typeUrl: "", value: Buffer.from("1001", "hex") } }));
  assert.deepEqual(
    send.map(({ message }) => message.case),
    ["reply", "streamedMessage"],
  );
});

test("an entity that nobody has changed may be deleted", async () => {
  const { sent, end } = await last(init, streamIn({ case: "delete", value: {} }));
  assert.deepEqual([sent.case, end], [undefined, false]);
});

test("protocol errors have the texts of the protocol", async () => {
  const flag = streamIn({ case: "delta", value: { delta: { case: "flag", value: { value: true } } } });
  const cases = [
    [[create(CrdtStreamInSchema)], 0n, "Protocol error: Received empty/unknown message"],
    [[command({})], 0n, "Protocol error: Expected Init message"],
    [[init, init], 0n, "Protocol error: Entity already inited"],
    [[streamIn({ case: "init", value: { serviceName: "x.Y" } })], 0n, "Protocol error: Service not found: x.Y"],
    [[init, command({ payload: undefined })], 5n, "Protocol error: No command payload"],
    [[init, command({ name: "Leave" })], 5n, "Protocol error: Unknown command: Leave"],
    [
      [init, command({ entityId: "b" })],
      5n,
      "Protocol error: Receiving entity is not the intended recipient of command",
    ],
    [[init, flag], 0n, "Unexpected failure: received a delta for a flag, but the function declares a pncounter"],
  ] as const;
  for (const [messages, id, text] of cases) {
    const { sent, end } = await last(...messages);
    assert.ok(end && sent.case === "failure", text);
    assert.deepEqual([sent.value.description, sent.value.commandId], [text, id]);
  }
});
