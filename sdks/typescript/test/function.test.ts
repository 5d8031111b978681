import assert from "node:assert/strict";
import { test } from "node:test";

import { fromBinary, getOption } from "@bufbuild/protobuf";
import { createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

import { DeclarationError, GCounter, UserFunction, action, crdt, eventSourced, value } from "../src/index.js";
import { entity_key } from "../src/protos/cloudstate/entity_key_pb.js";
import { counter, room, sums, valueCounter } from "./fixtures.js";
import { Counter, Keyless, Room, Sums, TotalSchema } from "./gen/counters_pb.js";

const about = { name: "counters", version: "1.2" };

test("discovery says what is served, with all that the descriptors need", () => {
  const { spec } = new UserFunction({ ...about, serves: [counter, room, sums] }).declaration;
  assert.deepEqual(
    spec.entities.map(({ entityType, serviceName, persistenceId, commandMetadata }) => [
      entityType,
      serviceName,
      persistenceId,
      commandMetadata,
    ]),
    [
      ["cloudstate.eventsourced.EventSourced", "cloudstate.sdk.test.Counter", "counter", true],
      ["cloudstate.crdt.Crdt", "cloudstate.sdk.test.Room", "Room", true],
      ["cloudstate.action.ActionProtocol", "cloudstate.sdk.test.Sums", "Sums", true],
    ],
  );
  const { protocolMajorVersion: major, protocolMinorVersion: minor, serviceName } = spec.serviceInfo ?? {};
  assert.deepEqual([major, minor, serviceName], [0, 2, "counters"]);
  const set = fromBinary(FileDescriptorSetSchema, spec.proto);
  assert.deepEqual(
    set.file.map(({ name }) => name),
    [
      "google/protobuf/descriptor.proto",
      "cloudstate/entity_key.proto",
      "google/protobuf/empty.proto",
      "counters.proto",
    ],
  );
  const change = createFileRegistry(set).getMessage("cloudstate.sdk.test.Change");
  assert.ok(change && getOption(change.fields[0] as never, entity_key), "options survive");
  const comments = set.file.at(-1)?.sourceCodeInfo?.location.map(({ leadingComments }) => leadingComments);
  assert.deepEqual(comments, [" The services of the SDK's own tests.\n", " Goes up and down.\n"]);
});

test("a passivation timeout is declared in milliseconds", () => {
  const [entity] = new UserFunction({ ...about, serves: [valueCounter] }).declaration.spec.entities;
  assert.equal(entity?.passivationStrategy?.strategy.value?.timeout, 500n);
});

const nothing = { increase: () => ({}), reset: () => undefined, get: () => ({}) };
const sourced = (options: object): unknown =>
  eventSourced(Counter, { persistenceId: "x", initial: () => 0, events: () => [], commands: nothing, ...options });

test("what does not fit is refused, by name", () => {
  const { get, ...two } = nothing;
  const cases: [() => unknown, string][] = [
    [
      () => new UserFunction({ ...about, serves: [] }),
      "the user function serves nothing: register at least one entity or action",
    ],
    [
      () => new UserFunction({ ...about, serves: [counter, valueCounter] }),
      "the service cloudstate.sdk.test.Counter is registered twice: each service has one implementation",
    ],
    [
      () =>
        new UserFunction({
          ...about,
          serves: [
            counter,
            crdt(Room, {
              persistenceId: "counter",
              state: () => new GCounter(),
              commands: { enter: () => ({}), watch: () => undefined, close: () => undefined },
            }),
          ],
        }),
      'the persistence id "counter" is used by cloudstate.sdk.test.Counter and by cloudstate.sdk.test.Room: give each its own',
    ],
    [
      () => sourced({ persistenceId: "" }),
      "the persistence id of cloudstate.sdk.test.Counter is empty: give it a name that never changes",
    ],
    [() => sourced({ commands: two }), "cloudstate.sdk.test.Counter: there is no handler get for the method Get"],
    [
      () => sourced({ commands: { ...nothing, shrink: () => ({}) } }),
      "cloudstate.sdk.test.Counter: the handler shrink belongs to no method; there are increase, reset, get",
    ],
    [
      () => sourced({ snapshotEvery: -1 }),
      "cloudstate.sdk.test.Counter: snapshotEvery is -1, but must be a number of events, or 0 for never",
    ],
    [
      () => sourced({ passivationTimeout: 0.5 }),
      "cloudstate.sdk.test.Counter: passivationTimeout is 0.5, but must be a whole number of milliseconds above 0",
    ],
    [
      () =>
        sourced({
          events: (on: (...them: unknown[]) => unknown) => [on(TotalSchema, () => 0), on(TotalSchema, () => 0)],
        }),
      "cloudstate.sdk.test.Counter: there are two handlers for the event type.googleapis.com/cloudstate.sdk.test.Total",
    ],
    [
      () => value(Sums as never, { persistenceId: "x", state: TotalSchema, commands: {} as never }),
      "cloudstate.sdk.test.Sums.Add: its input cloudstate.sdk.test.Pair has no entity key; mark a field with [(cloudstate.entity_key) = true]",
    ],
    [
      () => value(Room, { persistenceId: "x", state: TotalSchema, commands: {} as never }),
      "cloudstate.sdk.test.Room.Watch is streamed, which value entities do not support",
    ],
    [
      () => crdt(Keyless, { state: () => new GCounter(), commands: { get: () => ({}) } }),
      "cloudstate.sdk.test.Keyless.Get: its input cloudstate.sdk.test.Number has no entity key; mark a field with [(cloudstate.entity_key) = true]",
    ],
    [() => action(Keyless, {} as never), "cloudstate.sdk.test.Keyless: there is no handler get for the method Get"],
  ];
  for (const [declare, text] of cases) assert.throws(declare, new DeclarationError(text));
});

test("a class may hold the handlers, and helpers of its own", async () => {
  class Handlers {
    #by = 2n;
    double(value: bigint): bigint {
      return value * this.#by;
    }
    get({ value }: { value: bigint }): { value: bigint } {
      return { value: this.double(value) };
    }
  }
  const { ActionTest } = await import("../src/testkit/index.js");
  const outcome = await new ActionTest(action(Keyless, new Handlers())).call(Keyless.method.get, { value: 4n });
  assert.equal(outcome.reply.value, 8n);
});
