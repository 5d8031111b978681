import assert from "node:assert/strict";
import { test } from "node:test";

import { CrdtTest, type OpenStream } from "@cloudstate/cloudstate/testkit";

import { type OnlineStatusSchema, Presence } from "./gen/presence_pb.js";
import { presence } from "./presence.js";

const { connect, monitor } = Presence.method;
const told = (stream: OpenStream<typeof OnlineStatusSchema>) => stream.take().map(({ reply }) => reply.online);

test("a user is online from the first connection to the last", async () => {
  const user = new CrdtTest(presence);
  const watching = await user.open(monitor, {});
  assert.equal(watching.first.reply.online, false);
  const [one, other] = [await user.open(connect, {}), await user.open(connect, {})];
  assert.ok(one.open && one.first.isNothing);
  assert.deepEqual(told(watching), [true]);
  await one.cancel();
  assert.deepEqual(told(watching), []);
  await other.cancel();
  assert.deepEqual(told(watching), [false]);
});

test("connections to other nodes count", async () => {
  const user = new CrdtTest(presence);
  const watching = await user.open(monitor, {});
  for (const votesFor of [1, 2, 0]) await user.replicateVotes({ selfVote: false, votesFor, totalVoters: 3 });
  assert.deepEqual(told(watching), [true, false]);
});

test("who comes later is told at once, and who has left is told nothing", async () => {
  const user = new CrdtTest(presence);
  const left = await user.open(monitor, {});
  await left.cancel();
  await user.open(connect, {});
  assert.equal((await user.open(monitor, {})).first.reply.online, true);
  assert.deepEqual(told(left), []);
});
