// The served function, called as the proxy would: over HTTP/2.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { type DescMessage, type DescService, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { Client } from "@grpc/grpc-js";
import { type ClientDuplexStream, credentials, makeClientConstructor, status } from "@grpc/grpc-js";

import { type Log, type Server, type ServerOptions, UserFunction, action, noReply } from "../src/index.js";
import { ActionProtocol, type ActionResponse } from "../src/protos/cloudstate/action_pb.js";
import { Crdt, type CrdtStreamOut } from "../src/protos/cloudstate/crdt_pb.js";
import { EntityDiscovery, type EntitySpec } from "../src/protos/cloudstate/entity_pb.js";
import { EventSourced, type EventSourcedStreamOut } from "../src/protos/cloudstate/event_sourced_pb.js";
import { ValueEntity, type ValueEntityStreamOut } from "../src/protos/cloudstate/value_entity_pb.js";
import { definition } from "../src/server/definition.js";
import { place } from "../src/server/place.js";
import { counter, room, sums } from "./fixtures.js";
import { ChangeSchema, Counter, NumberSchema, Room, Sums } from "./gen/counters_pb.js";

type Served = UserFunction["declaration"]["spec"] extends never
  ? never
  : ConstructorParameters<typeof UserFunction>[0]["serves"];

interface Running {
  readonly server: Server;
  readonly lines: string[];
  client(service: DescService | typeof EventSourced): Record<string, (...them: unknown[]) => unknown>;
}

async function running(
  t: TestContext,
  options: ServerOptions = {},
  serves: Served = [counter, room, sums],
): Promise<Running> {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text);
  const log: Log = { info: write, warn: write, error: write };
  const server = await new UserFunction({ name: "counters", version: "1", serves }).start({ port: 0, log, ...options });
  const clients: Client[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });
  const target = options.socket === undefined ? server.address : `unix:${options.socket}`;
  return {
    server,
    lines,
    client(service) {
      const Constructor = makeClientConstructor(definition(service), service.typeName);
      const client = new Constructor(target, credentials.createInsecure());
      clients.push(client);
      return client as unknown as Record<string, (...them: unknown[]) => unknown>;
    },
  };
}

const payload = <D extends DescMessage>(schema: D, message: MessageInitShape<D>) =>
  create(AnySchema, { typeUrl: "", value: toBinary(schema, create(schema, message)) });

const next = <T>(stream: ClientDuplexStream<unknown, T>): Promise<T> =>
  new Promise((resolve, reject) => {
    stream
      .once("data", resolve)
      .once("error", reject)
      .once("end", () => {
        reject(new Error("it has ended"));
      });
  });

const ended = (stream: ClientDuplexStream<unknown, unknown>): Promise<number> =>
  new Promise((resolve) => {
    stream.once("status", ({ code }: { code: number }) => {
      resolve(code);
    });
    stream.on("error", () => undefined).resume();
  });

function unary<T>(
  client: Record<string, (...them: unknown[]) => unknown>,
  method: string,
  request: unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    client[method]?.(request, (error: Error | null, answer: T) => {
      if (error === null) resolve(answer);
      else reject(error);
    });
  });
}

const EVERYTHING = [
  "cloudstate.crdt.Crdt",
  "cloudstate.action.ActionProtocol",
  "cloudstate.eventsourced.EventSourced",
  "cloudstate.valueentity.ValueEntity",
];

test("discovery is answered, and doubts and errors are logged", async (t) => {
  const { client, lines, server } = await running(t);
  const discovery = client(EntityDiscovery);
  const fine = {
    protocolMajorVersion: 0,
    protocolMinorVersion: 2,
    proxyName: "p",
    proxyVersion: "1",
    supportedEntityTypes: EVERYTHING,
  };
  const spec = await unary<EntitySpec>(discovery, "discover", create(EntityDiscovery.method.discover.input, fine));
  assert.deepEqual(
    spec.entities.map(({ serviceName }) => serviceName),
    [Counter.typeName, Room.typeName, Sums.typeName],
  );
  assert.deepEqual(lines, [`serving the user function counters on ${server.address}`]);
  const odd = { ...fine, protocolMinorVersion: 1, supportedEntityTypes: EVERYTHING.slice(1) };
  await unary(discovery, "discover", create(EntityDiscovery.method.discover.input, odd));
  await unary(discovery, "reportError", create(EntityDiscovery.method.reportError.input, { message: "no good" }));
  assert.deepEqual(lines.slice(1), [
    "the proxy p 1 speaks protocol 0.1, this function 0.2",
    "the proxy p 1 does not support entities of type cloudstate.crdt.Crdt, such as cloudstate.sdk.test.Room",
    "the proxy reports: no good",
  ]);
});

test("an entity is loaded, answers, and passivates", async (t) => {
  const { client } = await running(t);
  const stream = client(EventSourced)["handle"]?.() as ClientDuplexStream<unknown, EventSourcedStreamOut>;
  const write = (message: object): boolean =>
    stream.write(create(EventSourced.method.handle.input, { message: message as never }));
  write({ case: "init", value: { serviceName: Counter.typeName, entityId: "a" } });
  for (const id of [1n, 2n]) {
    write({
      case: "command",
      value: { entityId: "a", id, name: "Increase", payload: payload(ChangeSchema, { by: 2n }) },
    });
    const { message } = await next(stream);
    assert.ok(message.case === "reply" && message.value.commandId === id);
    assert.equal(message.value.events.length, 1);
  }
  stream.end();
  assert.equal(await ended(stream), status.OK);
});

test("an entity that fails says so, and ends its stream", async (t) => {
  const { client, lines } = await running(t);
  const stream = client(ValueEntity)["handle"]?.() as ClientDuplexStream<unknown, ValueEntityStreamOut>;
  stream.write(create(ValueEntity.method.handle.input, { message: { case: "init", value: { serviceName: "x.Y" } } }));
  const { message } = await next(stream);
  assert.ok(message.case === "failure" && message.value.description === "Protocol error: Service not found: x.Y");
  assert.equal(await ended(stream), status.OK);
  assert.match(lines.at(-1) ?? "", /a value entity failed at command 0; its activation ends: .*Service not found: x.Y/);
});

test("streamed messages of a CRDT entity arrive after the reply", async (t) => {
  const { client } = await running(t);
  const stream = client(Crdt)["handle"]?.() as ClientDuplexStream<unknown, CrdtStreamOut>;
  const write = (message: object): boolean =>
    stream.write(create(Crdt.method.handle.input, { message: message as never }));
  const sent: unknown[] = [];
  write({ case: "init", value: { serviceName: Room.typeName, entityId: "a" } });
  write({
    case: "command",
    value: { entityId: "a", id: 1n, name: "Watch", streamed: true, payload: payload(ChangeSchema, {}) },
  });
  write({
    case: "command",
    value: { entityId: "a", id: 2n, name: "Enter", payload: payload(ChangeSchema, { by: 1n }) },
  });
  write({ case: "streamCancelled", value: { entityId: "a", id: 1n } });
  stream.end();
  stream.on("data", ({ message }: CrdtStreamOut) => sent.push(message.case));
  assert.equal(await ended(stream), status.OK);
  assert.deepEqual(sent, ["reply", "reply", "streamedMessage", "streamCancelledResponse"]);
});

test("actions answer in all four shapes", async (t) => {
  const { client } = await running(t);
  const actions = client(ActionProtocol);
  const command = (value: object) =>
    create(ActionProtocol.method.handleUnary.input, { serviceName: Sums.typeName, ...value });
  const number = (value: bigint) => ({ payload: payload(NumberSchema, { value }) });
  const one = await unary<ActionResponse>(
    actions,
    "handleUnary",
    command({ name: "Add", payload: payload(Sums.method.add.input, { left: 2n }) }),
  );
  assert.equal(one.response.case, "reply");

  const summed = new Promise<ActionResponse>((resolve, reject) => {
    const input = actions["handleStreamedIn"]?.((error: Error | null, answer: ActionResponse) => {
      if (error === null) resolve(answer);
      else reject(error);
    }) as ClientDuplexStream<unknown, never>;
    input.write(command({ name: "Total" }));
    input.write(command(number(1n)));
    input.end(command(number(2n)));
  });
  assert.equal((await summed).response.case, "reply");

  const out = actions["handleStreamedOut"]?.(command({ name: "UpTo", ...number(2000n) })) as ClientDuplexStream<
    unknown,
    ActionResponse
  >;
  let count = 0;
  out.on("data", () => (count += 1));
  assert.equal(await ended(out), status.OK);
  assert.equal(count, 65, "64 numbers, one skipped, one failure for 4 and one at the end");

  const both = actions["handleStreamed"]?.() as ClientDuplexStream<unknown, ActionResponse>;
  both.write(command({ name: "Running" }));
  for (const value of [1n, 2n]) {
    both.write(command(number(value)));
    assert.equal((await next(both)).response.case, "reply");
  }
  both.end();
  assert.equal(await ended(both), status.OK);
});

test("a caller that goes reaches the handler", async (t) => {
  const { promise: gone, resolve } = withResolvers<string>();
  const patient = action(Sums, {
    add: () => noReply(),
    total: () => noReply(),
    upTo: async function* (_, ctx) {
      yield { value: 1n };
      await new Promise((resolve) => {
        ctx.signal.addEventListener("abort", resolve);
      });
      resolve("aborted");
    },
    running: async function* () {},
  });
  const { client } = await running(t, {}, [patient]);
  const command = create(ActionProtocol.method.handleStreamedOut.input, {
    serviceName: Sums.typeName,
    name: "UpTo",
    payload: payload(NumberSchema, {}),
  });
  const stream = client(ActionProtocol)["handleStreamedOut"]?.(command) as ClientDuplexStream<unknown, ActionResponse>;
  await next(stream);
  const cancelled = ended(stream);
  stream.cancel();
  assert.equal(await gone, "aborted");
  assert.equal(await cancelled, status.CANCELLED);
});

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((it) => {
    resolve = it;
  });
  return { promise, resolve };
}

test("stopping waits for calls in flight, and then closes idle entities", async (t) => {
  const { promise: entered, resolve: enter } = withResolvers<undefined>();
  const { promise: released, resolve: release } = withResolvers<undefined>();
  const slow = action(Sums, {
    async add() {
      enter(undefined);
      await released;
      return { value: 7n };
    },
    total: () => noReply(),
    upTo: async function* () {},
    running: async function* () {},
  });
  const { client, server } = await running(t, {}, [slow, counter]);
  const idle = client(EventSourced)["handle"]?.() as ClientDuplexStream<unknown, EventSourcedStreamOut>;
  idle.write(
    create(EventSourced.method.handle.input, {
      message: { case: "init", value: { serviceName: Counter.typeName, entityId: "a" } },
    }),
  );
  const idleEnded = ended(idle);
  const command = { serviceName: Sums.typeName, name: "Add", payload: payload(Sums.method.add.input, {}) };
  const answer = unary<ActionResponse>(
    client(ActionProtocol),
    "handleUnary",
    create(ActionProtocol.method.handleUnary.input, command),
  );
  await entered;
  const stopped = server.stop();
  release(undefined);
  assert.equal((await answer).response.case, "reply");
  await stopped;
  assert.equal(await idleEnded, status.UNAVAILABLE, "the proxy sees that the entity did not passivate");
});

test("it listens on a socket", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cloudstate-"));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const socket = join(directory, "function.sock");
  const { client, server } = await running(t, { socket });
  assert.deepEqual([server.address, server.port], [socket, 0]);
  const spec = await unary<EntitySpec>(
    client(EntityDiscovery),
    "discover",
    create(EntityDiscovery.method.discover.input),
  );
  assert.equal(spec.entities.length, 3);
});

test("where to listen comes from options, then from variables", () => {
  assert.deepEqual(place({}, {}), { kind: "tcp", host: "127.0.0.1", port: 8080 });
  assert.deepEqual(place({}, { HOST: "0.0.0.0", PORT: "0" }), { kind: "tcp", host: "0.0.0.0", port: 0 });
  assert.deepEqual(place({}, { SOCKET: "/a", PORT: "1" }), { kind: "socket", path: "/a" });
  assert.deepEqual(place({ port: 2 }, { SOCKET: "/a" }), { kind: "tcp", host: "127.0.0.1", port: 2 });
  for (const PORT of ["http", "-1", "65536", "1.5"]) {
    assert.throws(() => place({}, { PORT }), new RegExp(`PORT is "${PORT}", but must be a number from 0 to 65535`));
  }
});

test("a port that is taken is named", async (t) => {
  const { server } = await running(t);
  const other = new UserFunction({ name: "other", version: "1", serves: [sums] });
  const taken = other.start({ port: server.port });
  await assert.rejects(
    taken,
    new RegExp(`^ServeError: cannot listen on 127.0.0.1:${String(server.port)}: .*EADDRINUSE`),
  );
});
