// CRDTs that hold one thing: a flag, a register, a vote.

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { type Payload, type PayloadInit, type PayloadType, type PayloadValue, payloadType } from "../payload.js";
import {
  CrdtClock,
  type CrdtDelta,
  FlagDeltaSchema,
  LWWRegisterDeltaSchema,
  VoteDeltaSchema,
} from "../protos/cloudstate/crdt_pb.js";
import { Crdt, deltaOf } from "./crdt.js";
import { sameAny } from "./elements.js";

/** A flag that can only be enabled. */
export class Flag extends Crdt {
  /** @internal */
  readonly deltaCase = "flag";
  #value = false;
  #pending = false;

  /** Whether it is enabled. */
  get value(): boolean {
    return this.#value;
  }

  /** Enables it, for ever. */
  enable(): void {
    this.changing();
    this.#pending ||= !this.#value;
    this.#value = true;
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.#pending ? this.fullDelta() : undefined;
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    return deltaOf({ case: "flag", value: create(FlagDeltaSchema, { value: this.#value }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case === "flag") this.#value ||= delta.value.value;
  }

  /** @internal */
  commit(): void {
    this.#pending = false;
  }

  /** @internal */
  rollback(): void {
    if (this.#pending) this.#value = false;
    this.#pending = false;
  }
}

/** Which of concurrent writes of a register wins. */
export type Clock =
  /** The latest by the proxies' clocks; the usual. */
  | { readonly kind: "default" }
  /** The first by the proxies' clocks. */
  | { readonly kind: "reverse" }
  /** The one with the greatest value. */
  | { readonly kind: "custom"; readonly value: bigint }
  /** The one with the greatest value; one that is not above the register's becomes one more than that. */
  | { readonly kind: "custom-auto-increment"; readonly value: bigint };

const CLOCKS = {
  default: CrdtClock.DEFAULT,
  reverse: CrdtClock.REVERSE,
  custom: CrdtClock.CUSTOM,
  "custom-auto-increment": CrdtClock.CUSTOM_AUTO_INCREMENT,
} as const;

interface Write {
  readonly encoded: Any;
  readonly clock: CrdtClock;
  readonly customClockValue: bigint;
}

/** A value that is replaced whole: the last writer wins. */
export class LWWRegister<P extends Payload> extends Crdt {
  /** @internal */
  readonly deltaCase = "lwwregister";
  readonly #type: PayloadType<PayloadValue<P>, PayloadInit<P>>;
  #encoded: Any;
  /** Decoded when somebody asks. */
  #value: { readonly it: PayloadValue<P> } | undefined;
  /** What it was before the pending write. */
  #before: Any;
  #pending: Write | undefined;
  /** Nobody else has the initial value yet. */
  #isNew = true;

  /** A register of values of this type. The initial value is a write like any other, unless there is one already. */
  constructor(type: P, initial: PayloadInit<P>) {
    super();
    this.#type = payloadType(type);
    this.#encoded = this.#type.encode(initial);
    this.#before = this.#encoded;
  }

  /** The value. */
  get value(): PayloadValue<P> {
    this.#value ??= { it: this.#type.decode(this.#encoded) };
    return this.#value.it;
  }

  /** Replaces the value. The clock is that of this write only. */
  set(value: PayloadInit<P>, clock: Clock = { kind: "default" }): void {
    this.changing();
    const customClockValue = "value" in clock ? clock.value : 0n;
    const write: Write = { encoded: this.#type.encode(value), clock: CLOCKS[clock.kind], customClockValue };
    const last = this.#write;
    const sameClock = last.clock === write.clock && last.customClockValue === write.customClockValue;
    if (sameClock && sameAny(last.encoded, write.encoded)) return;
    this.#put(write.encoded);
    this.#pending = write;
  }

  #put(encoded: Any): void {
    this.#encoded = encoded;
    this.#value = undefined;
  }

  get #write(): Write {
    return this.#pending ?? { encoded: this.#encoded, clock: CrdtClock.DEFAULT, customClockValue: 0n };
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.#pending !== undefined || this.#isNew ? this.fullDelta() : undefined;
  }

  /** @internal */
  fullDelta(): CrdtDelta {
    const { encoded: value, clock, customClockValue } = this.#write;
    return deltaOf({ case: "lwwregister", value: create(LWWRegisterDeltaSchema, { value, clock, customClockValue }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case !== "lwwregister" || delta.value.value === undefined) return;
    // A foreign value is found out now, and not by the first handler that looks.
    const it = this.#type.decode(delta.value.value);
    this.#put(delta.value.value);
    this.#value = { it };
    this.commit();
  }

  /** @internal */
  commit(): void {
    this.#pending = undefined;
    this.#before = this.#encoded;
    this.#isNew = false;
  }

  /** The initial value is not taken back: the next command that succeeds writes it. @internal */
  rollback(): void {
    this.#put(this.#before);
    this.#pending = undefined;
  }
}

/** One yes or no for each node of the cluster. */
export class Vote extends Crdt {
  /** @internal */
  readonly deltaCase = "vote";
  #self = false;
  #stored = false;
  #votesFor = 0;
  #totalVoters = 1;

  /** What this node votes. */
  get selfVote(): boolean {
    return this.#self;
  }

  /** How many nodes vote yes, as far as it is known here. */
  get votesFor(): number {
    return this.#votesFor;
  }

  /** How many nodes there are. */
  get totalVoters(): number {
    return this.#totalVoters;
  }

  /** Whether any node votes yes. */
  get isAtLeastOne(): boolean {
    return this.#votesFor > 0;
  }

  /** Whether more than half of the nodes vote yes. */
  get isMajority(): boolean {
    return this.#votesFor > Math.floor(this.#totalVoters / 2);
  }

  /** Whether all nodes vote yes. */
  get isUnanimous(): boolean {
    return this.#votesFor === this.#totalVoters;
  }

  /** Votes for this node. */
  vote(self: boolean): void {
    this.changing();
    if (self === this.#self) return;
    this.#self = self;
    this.#votesFor += self ? 1 : -1;
  }

  /** @internal */
  delta(): CrdtDelta | undefined {
    return this.#self === this.#stored ? undefined : this.fullDelta();
  }

  /** The proxy reads this node's vote only; it knows those of the others. @internal */
  fullDelta(): CrdtDelta {
    return deltaOf({ case: "vote", value: create(VoteDeltaSchema, { selfVote: this.#self }) });
  }

  /** @internal */
  protected replicate(delta: CrdtDelta["delta"]): void {
    if (delta.case !== "vote") return;
    this.#self = delta.value.selfVote;
    this.#stored = delta.value.selfVote;
    this.#votesFor = delta.value.votesFor;
    this.#totalVoters = delta.value.totalVoters;
  }

  /** @internal */
  commit(): void {
    this.#stored = this.#self;
  }

  /** @internal */
  rollback(): void {
    if (this.#self !== this.#stored) this.#votesFor += this.#stored ? 1 : -1;
    this.#self = this.#stored;
  }
}
