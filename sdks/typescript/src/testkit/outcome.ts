// What became of one command.

import { type DescMessage, type MessageShape, fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { Metadata } from "../metadata.js";
import { type Payload, type PayloadValue, payloadType } from "../payload.js";
import type { ClientAction, Forward, SideEffect } from "../protos/cloudstate/entity_pb.js";

/** What a test expected did not happen; the message says what did. */
export class UnexpectedOutcome extends Error {
  override name = "UnexpectedOutcome";
}

/** What the client, or for a crash the proxy, is told. @internal */
export type Told = ClientAction["action"] | { readonly case: "crash"; readonly value: string };

/** @internal */
export interface Facts {
  readonly output: DescMessage;
  readonly told: Told;
  readonly effects?: readonly SideEffect[];
  readonly events?: readonly Any[];
  readonly snapshot?: Any | undefined;
  readonly updated?: Any | undefined;
  readonly deleted?: boolean;
  readonly restarted?: boolean;
}

/**
 * The outcome of a command whose reply has type `O`. The accessors that name one kind of outcome throw
 * {@link UnexpectedOutcome} with a description of the actual one, as assertions do.
 */
export class Outcome<O extends DescMessage> {
  readonly #facts: Facts;

  /** @internal */
  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** The reply. */
  get reply(): MessageShape<O> {
    const { told, output } = this.#facts;
    if (told.case !== "reply") throw this.#unexpected("a reply");
    return fromBinary(output as O, told.value.payload?.value ?? new Uint8Array());
  }

  /** The metadata of the reply. */
  get metadata(): Metadata {
    const { told } = this.#facts;
    if (told.case !== "reply") throw this.#unexpected("a reply");
    return Metadata.from(told.value.metadata);
  }

  /** The forward that answers in place of a reply. */
  get forward(): Sent {
    const { told } = this.#facts;
    if (told.case !== "forward") throw this.#unexpected("a forward");
    return sent(told.value);
  }

  /** The text of the failure that the client sees. */
  get failure(): string {
    const { told } = this.#facts;
    if (told.case !== "failure") throw this.#unexpected("a failure");
    return told.value.description;
  }

  /** The text in the log of an entity that broke: its handler threw, or the protocol was violated. */
  get crash(): string {
    const { told } = this.#facts;
    if (told.case !== "crash") throw this.#unexpected("a crash");
    return told.value;
  }

  /** Whether there is neither reply nor forward nor failure. */
  get isNothing(): boolean {
    return this.#facts.told.case === undefined;
  }

  /** Whether the entity is loaded afresh after this command. */
  get restarted(): boolean {
    return this.#facts.restarted ?? false;
  }

  /** The side effects, in order. */
  get effects(): readonly SentEffect[] {
    return (this.#facts.effects ?? []).map((effect) => ({ ...sent(effect), synchronous: effect.synchronous }));
  }

  /** The events of one type that were stored, in order. */
  events<P extends Payload>(type: P): PayloadValue<P>[] {
    return unpackAll(type, this.#facts.events ?? []);
  }

  /** How many events of all types were stored. */
  get eventCount(): number {
    return this.#facts.events?.length ?? 0;
  }

  /** The snapshot that was stored. */
  snapshot<P extends Payload>(type: P): PayloadValue<P> | undefined {
    const { snapshot } = this.#facts;
    return snapshot && payloadType(type).decode(snapshot);
  }

  /** The value that a value entity was set to, if it was. */
  updated<P extends Payload>(type: P): PayloadValue<P> | undefined {
    const { updated } = this.#facts;
    return updated && payloadType(type).decode(updated);
  }

  /** Whether the command deleted the entity's state. */
  get deleted(): boolean {
    return this.#facts.deleted ?? false;
  }

  #unexpected(expected: string): UnexpectedOutcome {
    return new UnexpectedOutcome(`expected ${expected}, but the outcome is ${describe(this.#facts)}`);
  }
}

function describe({ told, output }: Facts): string {
  switch (told.case) {
    case undefined:
      return "no answer";
    case "reply":
      return `a reply of type ${output.typeName}`;
    case "forward":
      return `a forward to ${told.value.serviceName}.${told.value.commandName}`;
    case "failure":
      return `the failure "${told.value.description}"`;
    case "crash":
      return `a crash: ${told.value}`;
  }
}

/** Values of one type; those of others are left out. @internal */
export function unpackAll<P extends Payload>(payload: P, stored: readonly Any[]): PayloadValue<P>[] {
  const type = payloadType(payload);
  return stored.filter(({ typeUrl }) => typeUrl === type.typeUrl).map((any) => type.decode(any));
}

/** A command that an entity or action sends. */
export interface Sent {
  /** Full name of the service. */
  readonly service: string;
  /** Simple name of the method. */
  readonly command: string;
  /** What goes with it. */
  readonly metadata: Metadata;
  /** Its message, as of this type. */
  message<D extends DescMessage>(schema: D): MessageShape<D>;
}

/** A side effect. */
export interface SentEffect extends Sent {
  /** Whether the client's answer waits for it. */
  readonly synchronous: boolean;
}

function sent(wire: Forward | SideEffect): Sent {
  return {
    service: wire.serviceName,
    command: wire.commandName,
    metadata: Metadata.from(wire.metadata),
    message: (schema) => fromBinary(schema, wire.payload?.value ?? new Uint8Array()),
  };
}
