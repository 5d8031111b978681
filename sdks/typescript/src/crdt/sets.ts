// Sets.

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { type Payload, type PayloadInit, type PayloadType, type PayloadValue, payloadType } from "../payload.js";
import { type CrdtDelta, GSetDeltaSchema, ORSetDeltaSchema } from "../protos/cloudstate/crdt_pb.js";
import { Crdt, deltaOf } from "./crdt.js";
import { type Element, identity } from "./elements.js";

type Elements<P extends Payload> = Map<string, Element<PayloadValue<P>>>;

const encodings = (elements: ReadonlyMap<string, Element<unknown>>): Any[] =>
  Array.from(elements.values(), ({ any }) => any);

abstract class ElementSet<P extends Payload> extends Crdt implements Iterable<PayloadValue<P>> {
  readonly #type: PayloadType<PayloadValue<P>, PayloadInit<P>>;
  /** @internal */
  protected elements: Elements<P> = new Map();
  /** Elements that this command added. @internal */
  protected added: Elements<P> = new Map();

  /** A set of values of this type. They are equal if their encodings are. */
  constructor(type: P) {
    super();
    this.#type = payloadType(type);
  }

  /** How many elements there are. */
  get size(): number {
    return this.elements.size;
  }

  /** Whether there is an element like this. */
  has(value: PayloadInit<P>): boolean {
    return this.elements.has(identity(this.#type.encode(value)));
  }

  /** The elements, in no order that means anything. */
  *[Symbol.iterator](): Iterator<PayloadValue<P>> {
    for (const { value } of this.elements.values()) yield value;
  }

  /** @internal */
  protected encode(value: PayloadInit<P>): [string, Element<PayloadValue<P>>] {
    const any = this.#type.encode(value);
    // Decoded, so that it is what the others will see.
    return [identity(any), { any, value: this.#type.decode(any) }];
  }

  /** @internal */
  protected others(added: readonly Any[]): void {
    for (const any of added) this.elements.set(identity(any), { any, value: this.#type.decode(any) });
  }
}

/** A set that only grows. */
export class GSet<P extends Payload> extends ElementSet<P> {
  /** @internal */
  readonly deltaCase = "gset";

  /** Adds an element, for ever. */
  add(value: PayloadInit<P>): this {
    this.changing();
    const [id, element] = this.encode(value);
    if (!this.elements.has(id)) {
      this.elements.set(id, element);
      this.added.set(id, element);
    }
    return this;
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.added.size === 0 ? undefined : this.#of(this.added);
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return this.#of(this.elements);
  }

  #of(added: Elements<P>): CrdtDelta {
    return deltaOf({ case: "gset", value: create(GSetDeltaSchema, { added: encodings(added) }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case === "gset") this.others(delta.value.added);
  }

  /** @internal */
  commit(): void {
    this.added = new Map();
  }

  /** @internal */
  rollback(): void {
    for (const id of this.added.keys()) this.elements.delete(id);
    this.commit();
  }
}

/** A set whose elements can be removed. Where one is added and removed at the same time, it stays. */
export class ORSet<P extends Payload> extends ElementSet<P> {
  /** @internal */
  readonly deltaCase = "orset";
  #removed: Elements<P> = new Map();
  /** What was there when this command cleared the set. */
  #cleared: Elements<P> | undefined;

  /** Adds an element. */
  add(value: PayloadInit<P>): this {
    this.changing();
    const [id, element] = this.encode(value);
    if (!this.elements.has(id)) {
      this.elements.set(id, element);
      if (!this.#removed.delete(id)) this.added.set(id, element);
    }
    return this;
  }

  /** Removes an element; returns whether it was there. */
  delete(value: PayloadInit<P>): boolean {
    this.changing();
    const [id, element] = this.encode(value);
    if (!this.elements.has(id)) return false;
    if (this.elements.size === 1) {
      this.clear();
    } else {
      this.elements.delete(id);
      if (!this.added.delete(id)) this.#removed.set(id, element);
    }
    return true;
  }

  /** Removes all elements. */
  clear(): void {
    this.changing();
    if (this.elements.size === 0) return;
    const cleared = this.#cleared;
    this.#undo();
    this.#cleared = cleared ?? this.elements;
    this.elements = new Map();
  }

  /** Takes back what this command did since it cleared the set. */
  #undo(): void {
    for (const id of this.added.keys()) this.elements.delete(id);
    for (const [id, element] of this.#removed) this.elements.set(id, element);
    this.added = new Map();
    this.#removed = new Map();
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    const cleared = this.#cleared !== undefined;
    if (!cleared && this.added.size === 0 && this.#removed.size === 0) return undefined;
    return this.#of(cleared, this.#removed, this.added);
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return this.#of(false, new Map(), this.elements);
  }

  #of(cleared: boolean, removed: Elements<P>, added: Elements<P>): CrdtDelta {
    const value = create(ORSetDeltaSchema, { cleared, removed: encodings(removed), added: encodings(added) });
    return deltaOf({ case: "orset", value });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case !== "orset") return;
    if (delta.value.cleared) this.elements = new Map();
    for (const any of delta.value.removed) this.elements.delete(identity(any));
    this.others(delta.value.added);
  }

  /** @internal */
  commit(): void {
    this.added = new Map();
    this.#removed = new Map();
    this.#cleared = undefined;
  }

  /** @internal */
  rollback(): void {
    this.#undo();
    if (this.#cleared !== undefined) this.elements = this.#cleared;
    this.commit();
  }
}
