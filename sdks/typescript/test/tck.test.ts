// The model services of the TCK do what the specification says of them. The TCK itself says more.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, toJsonString } from "@bufbuild/protobuf";

import { ActionTest, CrdtTest, EventSourcedTest, ValueTest } from "../src/testkit/index.js";
import * as action from "../tck/action.js";
import * as crdt from "../tck/crdt.js";
import * as eventSourced from "../tck/event-sourced.js";
import { tck } from "../tck/function.js";
import {
  ActionTckModel,
  type ProcessGroupSchema,
  type ProcessStepSchema,
} from "../tck/gen/cloudstate/tck/model/action_pb.js";
import {
  CrdtTckModel,
  CrdtTwo,
  type RequestActionSchema,
  StateSchema,
} from "../tck/gen/cloudstate/tck/model/crdt_pb.js";
import { EventSourcedTckModel, PersistedSchema } from "../tck/gen/cloudstate/tck/model/eventsourced_pb.js";
import { ValueEntityTckModel, PersistedSchema as ValueSchema } from "../tck/gen/cloudstate/tck/model/valueentity_pb.js";
import * as value from "../tck/value.js";

test("the services have the persistence ids and options that the TCK wants", () => {
  const declared = tck.declaration.spec.entities.map(
    ({ serviceName, persistenceId, passivationStrategy, commandMetadata }) => [
      serviceName.slice("cloudstate.tck.model.".length),
      persistenceId,
      passivationStrategy?.strategy.value?.timeout,
      commandMetadata,
    ],
  );
  assert.deepEqual(declared, [
    ["action.ActionTckModel", "ActionTckModel", undefined, true],
    ["action.ActionTwo", "ActionTwo", undefined, true],
    ["EventSourcedTckModel", "event-sourced-tck-model", undefined, false],
    ["EventSourcedTwo", "event-sourced-tck-model-two", undefined, false],
    ["EventSourcedConfigured", "event-sourced-configured", 100n, false],
    ["valueentity.ValueEntityTckModel", "value-entity-tck-model", undefined, false],
    ["valueentity.ValueEntityTwo", "value-entity-tck-model-two", undefined, false],
    ["valueentity.ValueEntityConfigured", "value-entity-configured", 100n, false],
    ["crdt.CrdtTckModel", "cloudstate.tck.model.crdt.CrdtTckModel", undefined, false],
    ["crdt.CrdtTwo", "cloudstate.tck.model.crdt.CrdtTwo", undefined, false],
    ["crdt.CrdtConfigured", "cloudstate.tck.model.crdt.CrdtConfigured", 100n, false],
  ]);
});

const { process } = EventSourcedTckModel.method;
const emit = (...values: string[]) => values.map((value) => ({ action: { case: "emit", value: { value } } }) as const);
const effect = { action: { case: "effect", value: { id: "e", synchronous: true } } } as const;
const forward = { action: { case: "forward", value: { id: "f" } } } as const;
const fail = { action: { case: "fail", value: { message: "no" } } } as const;

test("event sourced: state, snapshots, forwards, effects, failures", async () => {
  const it = new EventSourcedTest(eventSourced.model);
  assert.equal((await it.call(process, { actions: emit("A", "B", "C") })).reply.message, "ABC");
  const five = await it.call(process, { actions: [...emit("D", "E"), forward, effect] });
  assert.equal(five.snapshot(PersistedSchema)?.value, "ABCDE");
  assert.deepEqual(
    [five.forward.service, five.effects.map(({ synchronous }) => synchronous)],
    ["cloudstate.tck.model.EventSourcedTwo", [true]],
  );
  const failed = await it.call(process, { actions: [...emit("4"), effect, fail] });
  assert.deepEqual([failed.failure, failed.restarted, failed.effects], ["no", true, []]);
  assert.equal((await it.call(process, { actions: emit("F") })).reply.message, "ABCDEF");
});

test("value: state, deletion, failures", async () => {
  const it = new ValueTest(value.model);
  const { process } = ValueEntityTckModel.method;
  const update = (value: string) => ({ action: { case: "update", value: { value } } }) as const;
  const gone = { action: { case: "delete", value: {} } } as const;
  const outcome = await it.call(process, { actions: [update("A"), gone, update("B"), effect] });
  assert.deepEqual([outcome.reply.message, outcome.updated(ValueSchema)?.value, outcome.effects.length], ["B", "B", 1]);
  const failed = await it.call(process, { actions: [update("C"), effect, fail] });
  assert.deepEqual([failed.failure, failed.updated(ValueSchema), failed.effects], ["no", undefined, []]);
  const deleted = await it.call(process, { actions: [update("D"), gone] });
  assert.deepEqual([deleted.reply.message, deleted.deleted], ["", true]);
});

const group = (...steps: MessageInitShape<typeof ProcessStepSchema>["step"][]) =>
  ({ steps: steps.map((step) => ({ step })) }) as MessageInitShape<typeof ProcessGroupSchema>;
const say = (message: string) => ({ case: "reply", value: { message } }) as const;
const also = (id: string, synchronous = false) => ({ case: "effect", value: { id, synchronous } }) as const;

test("action: four shapes", async () => {
  const it = new ActionTest(action.model);
  const { processUnary, processStreamedIn, processStreamedOut, processStreamed } = ActionTckModel.method;
  const nothing = await it.call(processUnary, { groups: [group(also("a"))] });
  assert.ok(nothing.isNothing && nothing.effects.length === 1);
  const requests = [
    { groups: [group(say("two"), also("a"))] },
    { groups: [group(also("b", true))] },
    { groups: [group(also("c"), also("d"))] },
  ];
  const together = await it.callStreamedIn(processStreamedIn, requests);
  assert.equal(together.reply.message, "two");
  assert.deepEqual(
    together.effects.map(({ synchronous }) => synchronous),
    [false, true, false, false],
  );
  const groups = [group({ case: "fail", value: { message: "one" } }), group(say("two"), also("other")), group()];
  const each = await it.callStreamedOut(processStreamedOut, { groups });
  assert.deepEqual(
    [each[0]?.failure, each[1]?.reply.message, each[1]?.effects.length, each[2]?.isNothing],
    ["one", "two", 1, true],
  );
  assert.equal((await it.callStreamed(processStreamed, [{ groups }, { groups }])).length, 6);
});

type Change = MessageInitShape<typeof RequestActionSchema>;
const change = (update: object): Change => ({ action: { case: "update", value: { update } } }) as never;
const add = (by: bigint): Change => change({ case: "pncounter", value: { change: by } });

test("CRDT: every type changes and shows itself", async () => {
  const shown: Record<string, [Change[], string]> = {
    "GCounter-1": [[change({ case: "gcounter", value: { increment: 42n } })], '{"gcounter":{"value":"42"}}'],
    "PNCounter-1": [[add(2n), add(-5n)], '{"pncounter":{"value":"-3"}}'],
    "GSet-1": [["b", "a"].map((add) => change({ case: "gset", value: { add } })), '{"gset":{"elements":["a","b"]}}'],
    "ORSet-1": [
      [
        ["add", "a"],
        ["add", "b"],
        ["remove", "a"],
      ].map(([on, value]) => change({ case: "orset", value: { action: { case: on, value } } })),
      '{"orset":{"elements":["b"]}}',
    ],
    "LWWRegister-1": [
      [change({ case: "lwwregister", value: { value: "one", clock: { clockType: 2, customClockValue: 5n } } })],
      '{"lwwregister":{"value":"one"}}',
    ],
    "Flag-1": [[change({ case: "flag", value: {} })], '{"flag":{"value":true}}'],
    "ORMap-1": [
      [
        change({ case: "ormap", value: { action: { case: "add", value: "Flag-1" } } }),
        change({
          case: "ormap",
          value: {
            action: {
              case: "update",
              value: { key: "PNCounter-1", update: { update: { case: "pncounter", value: { change: 1n } } } },
            },
          },
        }),
      ],
      '{"ormap":{"entries":[{"key":"Flag-1","value":{"flag":{}}},{"key":"PNCounter-1","value":{"pncounter":{"value":"1"}}}]}}',
    ],
    "Vote-1": [
      [change({ case: "vote", value: { selfVote: true } })],
      '{"vote":{"selfVote":true,"votesFor":1,"totalVoters":1}}',
    ],
  };
  for (const [entityId, [actions, expected]] of Object.entries(shown)) {
    const it = new CrdtTest(crdt.model, { entityId });
    const { state } = (await it.call(CrdtTckModel.method.process, { actions })).reply;
    assert.equal(state && toJsonString(StateSchema, state), expected);
    it.restart();
    const again = await it.call(CrdtTckModel.method.process, {});
    assert.equal(again.reply.state && toJsonString(StateSchema, again.reply.state), expected, entityId);
    assert.equal(again.changed, false, entityId);
  }
});

test("CRDT: looking at a new register writes it, and at nothing else", async () => {
  for (const type of ["GCounter", "PNCounter", "GSet", "ORSet", "Flag", "ORMap", "Vote", "LWWRegister"]) {
    const it = new CrdtTest(crdt.model, { entityId: `${type}-1` });
    assert.equal((await it.call(CrdtTckModel.method.process, {})).changed, type === "LWWRegister", type);
  }
});

test("CRDT: streams", async () => {
  const it = new CrdtTest(crdt.model, { entityId: "PNCounter-1" });
  const { process, processStreamed } = CrdtTckModel.method;
  const state = (value: bigint) => ({ value: { case: "pncounter", value: { value } } }) as const;
  const values = (messages: readonly { reply: { state?: { value: { value?: unknown } } | undefined } }[]) =>
    messages.map(({ reply }) => (reply.state?.value.value as { value: bigint }).value);
  const whole = await it.open(processStreamed, {
    effects: [{ id: "e" }],
    initialUpdate: { update: { case: "pncounter", value: { change: 1n } } },
  });
  const limited = await it.open(processStreamed, { endState: state(3n) });
  const silent = await it.open(processStreamed, {
    empty: true,
    cancelUpdate: { update: { case: "pncounter", value: { change: -42n } } },
  });
  assert.deepEqual([values([whole.first, limited.first]), silent.first.isNothing], [[1n, 1n], true]);
  await it.call(process, { actions: [add(2n)] });
  await it.call(process, { actions: [add(3n)] });
  const messages = whole.take();
  assert.deepEqual([values(messages), messages[0]?.effects.length, whole.first.effects.length], [[3n, 6n], 1, 0]);
  assert.deepEqual([values(limited.take()), limited.open], [[3n], false]);
  assert.equal((await silent.cancel()).changed, true);
  assert.deepEqual(values(whole.take()), [-36n]);
});

test("CRDT: the second service can be deleted, and never changes itself", async () => {
  const it = new CrdtTest(crdt.two);
  const quiet = await it.call(CrdtTwo.method.call, {});
  assert.deepEqual([quiet.changed, quiet.deleted], [false, false]);
  assert.equal(
    (await it.call(CrdtTwo.method.call, { actions: [{ action: { case: "delete", value: {} } }] })).deleted,
    true,
  );
});
