// What all CRDTs have in common.
//
// A user function holds plain values. What a handler changes is kept beside the value until the command ends: then it
// becomes a delta for the proxy, or is taken back.
//
//   change ─▶ value, pending ──success──▶ delta() ─▶ commit()
//                            └─failure──▶ rollback()
//   replicated delta ─▶ apply() ─▶ value

import { create } from "@bufbuild/protobuf";

import { type CrdtDelta, CrdtDeltaSchema } from "../protos/cloudstate/crdt_pb.js";

/**
 * Whether a CRDT may be changed now. All that belongs to one entity share it.
 *
 * @internal
 */
export interface Gate {
  /** Why not; `undefined` if it may. */
  closed: string | undefined;
}

/** A replicated value. Whatever the proxies of other nodes do to it at the same time, all come to the same value. */
export abstract class Crdt {
  #gate: Gate = { closed: undefined };
  #touched: (() => void) | undefined;

  /** The name of the field of a delta that is for this type. @internal */
  abstract readonly deltaCase: Exclude<CrdtDelta["delta"]["case"], undefined>;

  /** What has changed since the last commit; `undefined` if nothing has. @internal */
  abstract delta(): CrdtDelta | undefined;

  /** All of the value, as what has changed since it was empty. @internal */
  abstract fullDelta(): CrdtDelta;

  /** Applies a change of others. There is no pending change then. @internal */
  protected abstract replicate(delta: CrdtDelta["delta"]): void;

  /** Forgets what was pending: it has become part of the value. @internal */
  abstract commit(): void;

  /** Takes back what is pending. @internal */
  abstract rollback(): void;

  /** @internal */
  apply(delta: CrdtDelta): void {
    if (delta.delta.case !== this.deltaCase) {
      throw new Error(
        `received a delta for a ${delta.delta.case ?? "nothing"}, but the function declares a ${this.deltaCase}`,
      );
    }
    this.replicate(delta.delta);
  }

  /** Makes this part of an entity, or of a map, which hears of changes. @internal */
  bind(gate: Gate, touched?: () => void): void {
    this.#gate = gate;
    this.#touched = touched;
  }

  /** @internal */
  protected get gate(): Gate {
    return this.#gate;
  }

  /** To be called before every change. @internal */
  protected changing(): void {
    if (this.#gate.closed !== undefined) throw new Error(this.#gate.closed);
    this.#touched?.();
  }
}

/** @internal */
export function deltaOf(delta: CrdtDelta["delta"]): CrdtDelta {
  return create(CrdtDeltaSchema, { delta });
}
