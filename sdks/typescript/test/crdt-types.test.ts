// What commands leave behind for the other nodes, type by type. The rules are those of the protocol.

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import {
  type Crdt,
  Flag,
  GCounter,
  GSet,
  LWWRegister,
  ORMap,
  ORSet,
  PNCounter,
  Vote,
  primitive,
} from "../src/index.js";
import { deltaOf } from "../src/crdt/crdt.js";
import { CrdtClock, type CrdtDelta, type ORMapEntryDelta, VoteDeltaSchema } from "../src/protos/cloudstate/crdt_pb.js";

const text = primitive.string;
const strings = (set: Iterable<string>): string => [...set].sort().join("");
const texts = (elements: readonly Any[]): string => strings(elements.map((any) => text.decode(any)));

/** The delta of one command in a few words. */
function command(crdt: Crdt): string {
  const delta = crdt.delta();
  crdt.commit();
  return delta === undefined ? "" : words(delta);
}

function words({ delta }: CrdtDelta): string {
  switch (delta.case) {
    case "gcounter":
      return `+${delta.value.increment.toString()}`;
    case "pncounter":
      return delta.value.change.toString();
    case "gset":
      return `add ${texts(delta.value.added)}`;
    case "orset":
      return list([
        ["cleared", delta.value.cleared],
        ["rem", texts(delta.value.removed)],
        ["add", texts(delta.value.added)],
      ]);
    case "lwwregister": {
      const { value, clock, customClockValue } = delta.value;
      assert.ok(value);
      return `${text.decode(value)} ${CrdtClock[clock]} ${customClockValue.toString()}`;
    }
    case "flag":
      return String(delta.value.value);
    case "vote":
      return `self ${String(delta.value.selfVote)} ${String(delta.value.votesFor)} ${String(delta.value.totalVoters)}`;
    case "ormap":
      return list([
        ["cleared", delta.value.cleared],
        ["rem", texts(delta.value.removed)],
        ["upd", entries(delta.value.updated)],
        ["add", entries(delta.value.added)],
      ]);
    case undefined:
      return "nothing";
  }
}

const list = (parts: [string, string | boolean][]): string =>
  parts
    .filter(([, part]) => part !== "" && part !== false)
    .map(([name, part]) => (part === true ? name : `${name} ${String(part)}`))
    .join(", ");

const entries = (of: readonly ORMapEntryDelta[]): string =>
  of
    .map(({ key, delta }) => key && delta && `${text.decode(key)}(${words(delta)})`)
    .sort()
    .join(" ");

test("counters add up what a command does", () => {
  const grow = new GCounter();
  assert.equal(command(grow), "");
  assert.equal(grow.increment(), 1n);
  assert.equal(grow.increment(41), 42n);
  assert.equal(command(grow), "+42");
  assert.throws(() => grow.increment(-1), /a GCounter only grows: cannot increment it by -1/);
  assert.throws(() => grow.increment(2n ** 64n), /more than 64 bits/);
  assert.throws(() => grow.increment(0.5), /must be a whole number/);

  const both = new PNCounter();
  both.increment(2);
  both.decrement(5n);
  assert.equal(both.value, -3n);
  assert.equal(command(both), "-3");
  both.increment();
  both.decrement();
  assert.equal(command(both), "", "a net zero is nothing");
  assert.throws(() => both.decrement(2n ** 63n), /more than 64 bits/);
});

test("a grow-only set tells new elements only", () => {
  const set = new GSet(text);
  set.add("a").add("b").add("a");
  assert.equal(command(set), "add ab");
  set.add("b").add("c");
  assert.equal(command(set), "add c");
  assert.equal(strings(set), "abc");
  assert.ok(set.has("c") && !set.has("d"));
});

test("a set whose elements can be removed tells the least", () => {
  const set = new ORSet(text);
  set.add("a").add("b");
  assert.equal(command(set), "add ab");
  set.add("b").add("c");
  assert.equal(command(set), "add c");
  set.add("c").add("a");
  assert.equal(command(set), "");
  set.delete("b");
  assert.equal(set.delete("d"), false);
  assert.equal(command(set), "rem b");
  set.delete("c");
  set.delete("d");
  set.add("b").add("c");
  assert.equal(command(set), "add b", "removed and added again is nothing");
  set.clear();
  assert.equal(command(set), "cleared");
  set.add("a").clear();
  set.add("x");
  assert.equal(command(set), "cleared, add x");
  set.delete("x");
  assert.equal(command(set), "cleared", "removing the last one clears");
  set.clear();
  assert.equal(command(set), "", "there is nothing to clear");
  set.add("p").add("q");
  command(set);
  set.add("x").add("y").delete("x");
  assert.equal(command(set), "add y");
});

test("a register tells each write, and its clock once", () => {
  const register = new LWWRegister(text, "");
  assert.equal(command(register), " DEFAULT 0", "the initial value is a write");
  assert.equal(command(register), "");
  register.set("A", { kind: "reverse" });
  assert.equal(command(register), "A REVERSE 0");
  register.set("A");
  assert.equal(command(register), "", "the same again is nothing");
  register.set("A", { kind: "custom", value: 123n });
  assert.equal(command(register), "A CUSTOM 123");
  register.set("A", { kind: "custom-auto-increment", value: 456n });
  assert.equal(command(register), "A CUSTOM_AUTO_INCREMENT 456");
  const replicated = new LWWRegister(text, "");
  replicated.apply(register.fullDelta());
  assert.equal(replicated.value, "A");
  assert.equal(command(replicated), "", "what others wrote is not new");
});

test("a flag tells when it is enabled first", () => {
  const flag = new Flag();
  assert.equal(command(flag), "");
  flag.enable();
  assert.equal(command(flag), "true");
  flag.enable();
  assert.equal(command(flag), "");
});

test("a vote tells this node's vote, if it changed", () => {
  const vote = new Vote();
  assert.deepEqual([vote.selfVote, vote.votesFor, vote.totalVoters], [false, 0, 1]);
  vote.vote(true);
  assert.equal(vote.votesFor, 1);
  assert.equal(command(vote), "self true 0 0");
  vote.vote(true);
  vote.vote(false);
  vote.vote(true);
  assert.equal(command(vote), "");
  vote.apply(
    deltaOf({ case: "vote", value: create(VoteDeltaSchema, { selfVote: true, votesFor: 2, totalVoters: 4 }) }),
  );
  assert.deepEqual([vote.isAtLeastOne, vote.isMajority, vote.isUnanimous], [true, false, false]);
  vote.vote(false);
  assert.equal(vote.votesFor, 1);
  vote.rollback();
  assert.deepEqual([vote.selfVote, vote.votesFor, vote.totalVoters], [true, 2, 4]);
});

const make = (key: string): Crdt => {
  switch (key[0]) {
    case "P":
      return new PNCounter();
    case "S":
      return new ORSet(text);
    case "L":
      return new LWWRegister(text, "");
    case "F":
      return new Flag();
    default:
      return new ORMap(text, make);
  }
};
const map = () => new ORMap(text, make);
const counterOf = (it: ORMap<typeof text, Crdt>, key: string): PNCounter => it.getOrCreate(key) as PNCounter;
const setOf = (it: ORMap<typeof text, Crdt>, key: string): ORSet<typeof text> =>
  it.getOrCreate(key) as ORSet<typeof text>;

test("a map tells new entries whole, and others by what changed", () => {
  const it = map();
  counterOf(it, "P");
  setOf(it, "S");
  assert.equal(command(it), "add P(0) S()");
  setOf(it, "S").add("a");
  counterOf(it, "P").increment(42);
  (it.getOrCreate("L") as LWWRegister<typeof text>).set("zero");
  assert.equal(command(it), "upd P(42) S(add a), add L(zero DEFAULT 0)");
  assert.ok(it.delete("S"));
  assert.equal(command(it), "rem S");
  it.delete("L");
  (it.getOrCreate("F") as Flag).enable();
  assert.equal(command(it), "rem L, add F(true)");
  counterOf(it, "X");
  it.delete("X");
  assert.equal(command(it), "", "made and removed is nothing");
  it.delete("P");
  counterOf(it, "P").increment();
  assert.equal(command(it), "rem P, add P(1)");
  it.clear();
  assert.equal(command(it), "cleared");
  counterOf(it, "P2");
  it.clear();
  counterOf(it, "P1").increment(123);
  assert.equal(command(it), "cleared, add P1(123)");
  counterOf(it.getOrCreate("M") as ORMap<typeof text, Crdt>, "P").increment();
  command(it);
  counterOf(it.get("M") as ORMap<typeof text, Crdt>, "P").decrement(7);
  assert.equal(command(it), "upd M(upd P(-7))");
});

test("a map takes over removed, updated and added entries, in this order", () => {
  const [one, other] = [map(), map()];
  counterOf(one, "P").increment(5);
  setOf(one, "S").add("a");
  const replicate = (): void => {
    const delta = one.delta();
    one.commit();
    if (delta !== undefined) other.apply(delta);
  };
  replicate();
  counterOf(one, "P").increment(1);
  one.delete("S");
  replicate();
  assert.equal(counterOf(other, "P").value, 6n);
  assert.deepEqual([...other.keys()], ["P"]);
  one.delete("P");
  counterOf(one, "P").increment(1);
  replicate();
  assert.equal(counterOf(other, "P").value, 1n, "an added entry replaces what was there");
  assert.equal(command(other), "", "what others did is not new");
  assert.throws(() => {
    map().apply(new Flag().fullDelta());
  }, /received a delta for a flag, but the function declares a ormap/);
});

test("everything can be taken back", () => {
  const it = map();
  counterOf(it, "P").increment(5);
  setOf(it, "S").add("a").add("b");
  (it.getOrCreate("L") as LWWRegister<typeof text>).set("one");
  const before = words(it.fullDelta());
  it.commit();
  const changes: (() => void)[] = [
    () => counterOf(it, "P").increment(),
    () => setOf(it, "S").delete("a"),
    () => {
      setOf(it, "S").add("c").clear();
    },
    () => {
      (it.getOrCreate("L") as LWWRegister<typeof text>).set("two");
    },
    () => {
      (it.getOrCreate("F") as Flag).enable();
    },
    () => it.delete("S"),
    () => {
      it.clear();
    },
    () => counterOf(it, "P").increment(),
  ];
  for (let count = 1; count <= changes.length; count++) {
    for (const change of changes.slice(0, count)) change();
    it.rollback();
    assert.equal(it.delta(), undefined);
    assert.equal(words(it.fullDelta()), before, `${String(count)} changes`);
  }
  const fresh = new LWWRegister(text, "first");
  fresh.set("second");
  fresh.rollback();
  assert.equal(command(fresh), "first DEFAULT 0", "the initial value is still to be told");
});
