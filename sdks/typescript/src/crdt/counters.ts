// Counters.

import { create } from "@bufbuild/protobuf";

import { type CrdtDelta, GCounterDeltaSchema, PNCounterDeltaSchema } from "../protos/cloudstate/crdt_pb.js";
import { Crdt, deltaOf } from "./crdt.js";

abstract class Counter extends Crdt {
  #value = 0n;
  #pending = 0n;

  /** The value, with what this command has changed. */
  get value(): bigint {
    return this.#value;
  }

  /** @internal */
  protected add(by: bigint, fits: (value: bigint) => boolean): bigint {
    this.changing();
    const value = this.#value + by;
    if (!fits(value) || !fits(this.#pending + by)) {
      throw new RangeError(`cannot change a counter by ${by.toString()}: ${value.toString()} has more than 64 bits`);
    }
    this.#value = value;
    this.#pending += by;
    return value;
  }

  /** @internal */
  protected get pending(): bigint {
    return this.#pending;
  }

  /** @internal */
  protected others(by: bigint, wrap: (value: bigint) => bigint): void {
    this.#value = wrap(this.#value + by);
  }

  /** @internal */
  commit(): void {
    this.#pending = 0n;
  }

  /** @internal */
  rollback(): void {
    this.#value -= this.#pending;
    this.#pending = 0n;
  }
}

/** A whole number, in full: a `number` beyond 2^53 is not one any more. */
function whole(by: bigint | number): bigint {
  if (typeof by === "number" && !Number.isSafeInteger(by)) {
    throw new RangeError(`cannot change a counter by ${String(by)}: it must be a whole number; beyond 2^53, a bigint`);
  }
  return BigInt(by);
}

const isUint64 = (value: bigint): boolean => BigInt.asUintN(64, value) === value;
const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/** A counter that only grows. Concurrent increments add up. */
export class GCounter extends Counter {
  /** @internal */
  readonly deltaCase = "gcounter";

  /**
   * Adds to the counter and returns its new value.
   *
   * @throws {RangeError} if `by` is negative
   */
  increment(by: bigint | number = 1n): bigint {
    const increment = whole(by);
    if (increment < 0n) throw new RangeError(`a GCounter only grows: cannot increment it by ${increment.toString()}`);
    return this.add(increment, isUint64);
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.pending === 0n ? undefined : this.#of(this.pending);
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return this.#of(this.value);
  }

  #of(increment: bigint): CrdtDelta {
    return deltaOf({ case: "gcounter", value: create(GCounterDeltaSchema, { increment }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case === "gcounter") this.others(delta.value.increment, (value) => BigInt.asUintN(64, value));
  }
}

/** A counter that goes up and down. Concurrent changes add up. */
export class PNCounter extends Counter {
  /** @internal */
  readonly deltaCase = "pncounter";

  /** Adds to the counter and returns its new value. */
  increment(by: bigint | number = 1n): bigint {
    return this.add(whole(by), isInt64);
  }

  /** Takes from the counter and returns its new value. */
  decrement(by: bigint | number = 1n): bigint {
    return this.add(-whole(by), isInt64);
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.pending === 0n ? undefined : this.#of(this.pending);
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return this.#of(this.value);
  }

  #of(change: bigint): CrdtDelta {
    return deltaOf({ case: "pncounter", value: create(PNCounterDeltaSchema, { change }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case === "pncounter") this.others(delta.value.change, (value) => BigInt.asIntN(64, value));
  }
}
