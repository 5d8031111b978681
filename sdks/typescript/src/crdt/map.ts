// A map of CRDTs.

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { type Payload, type PayloadInit, type PayloadType, type PayloadValue, payloadType } from "../payload.js";
import {
  type CrdtDelta,
  type ORMapDelta,
  ORMapDeltaSchema,
  type ORMapEntryDelta,
  ORMapEntryDeltaSchema,
} from "../protos/cloudstate/crdt_pb.js";
import { Crdt, type Gate, deltaOf } from "./crdt.js";
import { identity } from "./elements.js";

interface Entry<K, V> {
  readonly any: Any;
  readonly key: K;
  readonly crdt: V;
}

type Entries<P extends Payload, V> = Map<string, Entry<PayloadValue<P>, V>>;

/** A map from keys to CRDTs. Where an entry is changed and removed at the same time, it stays. */
export class ORMap<P extends Payload, V extends Crdt> extends Crdt implements Iterable<[PayloadValue<P>, V]> {
  /** @internal */
  readonly deltaCase = "ormap";
  readonly #type: PayloadType<PayloadValue<P>, PayloadInit<P>>;
  readonly #make: (key: PayloadValue<P>) => V;
  #entries: Entries<P, V> = new Map();
  /** Entries that this command made. */
  #added: Entries<P, V> = new Map();
  /** Entries that were there and that this command removed. */
  #removed: Entries<P, V> = new Map();
  /** Entries that this command may have changed; also those that are gone, for they may come back. */
  #touched = new Set<Entry<PayloadValue<P>, V>>();
  /** What was there when this command cleared the map. */
  #cleared: Entries<P, V> | undefined;

  /** A map with keys of this type. `make` says what an entry is: it makes an empty one. */
  constructor(type: P, make: (key: PayloadValue<P>) => V) {
    super();
    this.#type = payloadType(type);
    this.#make = make;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is an entry under a key. */
  has(key: PayloadInit<P>): boolean {
    return this.#entries.has(identity(this.#type.encode(key)));
  }

  /** The entry under a key. */
  get(key: PayloadInit<P>): V | undefined {
    return this.#entries.get(identity(this.#type.encode(key)))?.crdt;
  }

  /** The entry under a key, made if there is none. */
  getOrCreate(key: PayloadInit<P>): V {
    const any = this.#type.encode(key);
    const id = identity(any);
    const present = this.#entries.get(id);
    if (present !== undefined) return present.crdt;
    this.changing();
    const entry = this.#new(any);
    this.#entries.set(id, entry);
    this.#added.set(id, entry);
    return entry.crdt;
  }

  #new(any: Any): Entry<PayloadValue<P>, V> {
    const key = this.#type.decode(any);
    const crdt = this.#make(key);
    const entry = { any, key, crdt };
    this.#adopt(entry);
    return entry;
  }

  #adopt(entry: Entry<PayloadValue<P>, V>): void {
    entry.crdt.bind(this.gate, () => {
      this.#touched.add(entry);
      this.changing();
    });
  }

  /** Removes an entry; returns whether it was there. Do not rely on a new one under its key to begin empty elsewhere. */
  delete(key: PayloadInit<P>): boolean {
    this.changing();
    const id = identity(this.#type.encode(key));
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    // One that was there before this command, and is there no more, was removed already.
    if (!this.#added.delete(id)) this.#removed.set(id, entry);
    return true;
  }

  /** Removes all entries. */
  clear(): void {
    this.changing();
    if (this.#entries.size === 0 && this.#removed.size === 0) return;
    const cleared = this.#cleared;
    this.#undo();
    this.#cleared = cleared ?? this.#entries;
    this.#entries = new Map();
  }

  /** Takes back what this command did to the keys since it cleared the map. */
  #undo(): void {
    for (const id of this.#added.keys()) this.#entries.delete(id);
    for (const [id, entry] of this.#removed) this.#entries.set(id, entry);
    this.#added = new Map();
    this.#removed = new Map();
  }

  /** The keys. */
  *keys(): IterableIterator<PayloadValue<P>> {
    for (const { key } of this.#entries.values()) yield key;
  }

  /** Keys and entries, in no order that means anything. */
  *[Symbol.iterator](): Iterator<[PayloadValue<P>, V]> {
    for (const { key, crdt } of this.#entries.values()) yield [key, crdt];
  }

  /** @internal */
  override bind(gate: Gate, touched?: () => void): void {
    super.bind(gate, touched);
    for (const entry of this.#entries.values()) this.#adopt(entry);
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    const updated: ORMapEntryDelta[] = [];
    for (const entry of this.#touched) {
      const id = identity(entry.any);
      const isThere = this.#entries.get(id) === entry && !this.#added.has(id);
      const delta = isThere ? entry.crdt.delta() : undefined;
      if (delta !== undefined) updated.push(entryDelta(entry.any, delta));
    }
    const cleared = this.#cleared !== undefined;
    if (!cleared && updated.length + this.#added.size + this.#removed.size === 0) return undefined;
    const removed = Array.from(this.#removed.values(), ({ any }) => any);
    const value = create(ORMapDeltaSchema, { cleared, removed, updated, added: full(this.#added) });
    return deltaOf({ case: "ormap", value });
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return deltaOf({ case: "ormap", value: create(ORMapDeltaSchema, { added: full(this.#entries) }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case !== "ormap") return;
    if (delta.value.cleared) this.#entries = new Map();
    for (const any of delta.value.removed) this.#entries.delete(identity(any));
    for (const { any, delta: change } of withKey(delta.value, "updated")) {
      // One that is missing was removed here in the same moment.
      this.#entries.get(identity(any))?.crdt.apply(change);
    }
    for (const { any, delta: change } of withKey(delta.value, "added")) {
      const entry = this.#new(any);
      entry.crdt.apply(change);
      this.#entries.set(identity(any), entry);
    }
  }

  /** @internal */
  commit(): void {
    for (const { crdt } of this.#added.values()) crdt.commit();
    for (const { crdt } of this.#touched) crdt.commit();
    this.#forget();
  }

  #forget(): void {
    this.#added = new Map();
    this.#removed = new Map();
    this.#touched = new Set();
    this.#cleared = undefined;
  }

  /** @internal */
  rollback(): void {
    this.#undo();
    if (this.#cleared !== undefined) this.#entries = this.#cleared;
    for (const { crdt } of this.#touched) crdt.rollback();
    this.#forget();
  }
}

function entryDelta(key: Any, delta: CrdtDelta): ORMapEntryDelta {
  return create(ORMapEntryDeltaSchema, { key, delta });
}

function full(entries: ReadonlyMap<string, Entry<unknown, Crdt>>): ORMapEntryDelta[] {
  return Array.from(entries.values(), ({ any, crdt }) => entryDelta(any, crdt.fullDelta()));
}

function withKey(delta: ORMapDelta, which: "updated" | "added"): { any: Any; delta: CrdtDelta }[] {
  return delta[which].map(({ key, delta }) => {
    if (key === undefined || delta === undefined)
      throw new Error(`received an ${which} entry of a map without key or delta`);
    return { any: key, delta };
  });
}
