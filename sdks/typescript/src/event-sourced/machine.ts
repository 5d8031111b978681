// The protocol of one event sourced entity in memory: message in, messages out. No transport, no clock.

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { declined, settle } from "../answer.js";
import { CommandTurn, run } from "../context.js";
import { decode } from "../decode.js";
import { type Log, textOf, traceOf } from "../log.js";
import { type Payload, type PayloadInit, type PayloadType, isTypeOf, payloadType } from "../payload.js";
import { type Command, FailureSchema } from "../protos/cloudstate/entity_pb.js";
import {
  type EventSourcedEvent,
  type EventSourcedInit,
  type EventSourcedReply,
  EventSourcedReplySchema,
  type EventSourcedStreamIn,
  type EventSourcedStreamOut,
  EventSourcedStreamOutSchema,
} from "../protos/cloudstate/event_sourced_pb.js";
import type { Bound } from "../service.js";
import { Broken, type Machine, SILENT, type Step, end, send } from "../step.js";
import type { EventSourced, EventSourcedContext } from "./registration.js";

/** @internal */
export type EventSourcedServices = ReadonlyMap<string, EventSourced>;

/** One stream of the protocol service: one activation of one entity. @internal */
export class EventSourcedMachine implements Machine<EventSourcedStreamIn, EventSourcedStreamOut> {
  readonly #services: EventSourcedServices;
  readonly #log: Log;
  #entity: Live | undefined;

  constructor(services: EventSourcedServices, log: Log) {
    this.#services = services;
    this.#log = log;
  }

  async receive(message: EventSourcedStreamIn): Promise<Step<EventSourcedStreamOut>> {
    try {
      return await this.#accept(message.message);
    } catch (error) {
      return this.#broken(error, message.message.case === "command" ? message.message.value.id : 0n);
    }
  }

  async #accept(message: EventSourcedStreamIn["message"]): Promise<Step<EventSourcedStreamOut>> {
    if (message.case === undefined) throw new Broken(0n, "Protocol error: Received empty/unknown message");
    if (message.case === "init") {
      if (this.#entity !== undefined) throw new Broken(0n, "Protocol error: Entity already inited");
      this.#entity = this.#init(message.value);
      return SILENT;
    }
    if (this.#entity === undefined) throw new Broken(0n, "Protocol error: Expected Init message");
    if (message.case === "event") {
      this.#entity.replay(message.value);
      return SILENT;
    }
    const reply = await this.#entity.run(message.value);
    return send(create(EventSourcedStreamOutSchema, { message: { case: "reply", value: reply } }));
  }

  #init(init: EventSourcedInit): Live {
    const registration = this.#services.get(init.serviceName);
    if (registration === undefined) throw new Broken(0n, `Protocol error: Service not found: ${init.serviceName}`);
    const entity = new Live(registration, init.entityId);
    if (init.snapshot !== undefined) {
      const { snapshot, snapshotSequence } = init.snapshot;
      if (snapshot === undefined) throw new Broken(0n, "Protocol error: No snapshot payload");
      entity.restore(snapshotSequence, snapshot);
    }
    return entity;
  }

  /** The entity is dropped, so nobody sees what was left half done. */
  #broken(error: unknown, command: bigint): Step<EventSourcedStreamOut> {
    const entity = this.#entity?.name ?? "an event sourced entity";
    this.#entity = undefined;
    this.#log.error(`${entity} failed at command ${command.toString()}; its activation ends: ${traceOf(error)}`);
    const broken = error instanceof Broken ? error : new Broken(command, `Unexpected failure: ${textOf(error)}`);
    const failure = create(FailureSchema, { commandId: broken.commandId, description: broken.message });
    return end(create(EventSourcedStreamOutSchema, { message: { case: "failure", value: failure } }));
  }
}

/** An entity in memory. */
class Live {
  readonly registration: EventSourced;
  readonly entityId: string;
  state: unknown;
  sequence = 0n;
  emitted: Any[] = [];
  snapshotDue = false;
  /** What went wrong with an event; a handler that catches it must not go on as if nothing had happened. */
  fault: { readonly error: unknown } | undefined;
  /** The state holds events that were not stored, so that only a new activation may go on. */
  #aheadOfLog = false;

  constructor(registration: EventSourced, entityId: string) {
    this.registration = registration;
    this.entityId = entityId;
    this.state = registration.initial(entityId);
  }

  get name(): string {
    return `${this.registration.service.typeName} [${this.entityId}]`;
  }

  restore(sequence: bigint, stored: Any): void {
    const { snapshot } = this.registration;
    if (snapshot === undefined) {
      throw new Error(`there is a stored snapshot of type ${stored.typeUrl}, but ${this.name} has no snapshots`);
    }
    this.state = snapshot.restore(snapshot.type.decode(stored), this.entityId);
    this.sequence = sequence;
  }

  replay(event: EventSourcedEvent): void {
    if (event.payload === undefined) throw new Broken(0n, "Protocol error: No event payload");
    const stored = event.payload;
    const handler = this.registration.events.find(({ type }) => isTypeOf(type, stored));
    if (handler === undefined) throw this.#noHandler(stored.typeUrl);
    this.apply(handler.apply, handler.type.decode(stored));
    this.sequence = event.sequence;
  }

  #noHandler(typeUrl: string): Error {
    return new Error(`${this.name} has no handler for the event ${typeUrl}: add on(…) to its events`);
  }

  apply(handler: (state: unknown, event: unknown) => unknown, event: unknown): void {
    const next = handler(this.state, event);
    if (next instanceof Promise) {
      throw new Error(`the handler of an event of ${this.name} is asynchronous, but events must be applied at once`);
    }
    if (next !== undefined) this.state = next;
  }

  emit(type: PayloadType<unknown, unknown>, event: unknown): void {
    const encoded = type.encode(event);
    const handler = this.registration.events.find((handler) => isTypeOf(handler.type, encoded));
    if (handler === undefined) throw this.#noHandler(encoded.typeUrl);
    // Decoded, so that it is what a replay will see, whatever the handler of the command does to its own object.
    this.apply(handler.apply, handler.type.decode(encoded));
    this.emitted.push(encoded);
    this.sequence += 1n;
    const every = this.registration.snapshotEvery;
    this.snapshotDue ||= every !== 0n && this.sequence % every === 0n;
  }

  async run(command: Command): Promise<EventSourcedReply> {
    const { method, handler } = this.#check(command);
    const payload = command.payload;
    if (payload === undefined) throw new Broken(command.id, "Protocol error: No command payload");
    const turn = new Context(this, command);
    const message = decode(method, command, payload);
    const returned = await run(turn, () => handler(message, turn));
    if (this.fault !== undefined) throw this.fault.error;
    const settled = settle(method.output, returned);
    if (settled?.kind === "failure") return this.#fail(command.id, settled.description);
    if (settled?.kind !== "action") {
      throw new Broken(command.id, "Unexpected failure: No reply or forward returned by command handler!");
    }
    const reply = create(EventSourcedReplySchema, { commandId: command.id, clientAction: settled.action });
    reply.sideEffects = turn.takeEffects();
    return this.#store(reply);
  }

  #check(command: Command): Bound {
    if (command.entityId !== this.entityId) {
      throw new Broken(command.id, "Protocol error: Receiving entity is not the intended recipient of command");
    }
    if (this.#aheadOfLog) {
      throw new Broken(command.id, "Protocol error: Command after a failure that asked for a restart");
    }
    const bound = this.registration.commands.get(command.name);
    if (bound === undefined) throw new Broken(command.id, `Protocol error: Unknown command: ${command.name}`);
    return bound;
  }

  #fail(commandId: bigint, description: string): EventSourcedReply {
    this.#aheadOfLog = this.emitted.length > 0;
    return create(EventSourcedReplySchema, {
      commandId,
      clientAction: declined(commandId, description, this.#aheadOfLog),
    });
  }

  /** Adds the events and, if due, a snapshot of the state after them. */
  #store(reply: EventSourcedReply): EventSourcedReply {
    reply.events = this.emitted;
    this.emitted = [];
    const { snapshot } = this.registration;
    if (this.snapshotDue && snapshot !== undefined) {
      const taken = snapshot.take(this.state);
      if (taken !== undefined) reply.snapshot = snapshot.type.encode(taken);
    }
    this.snapshotDue = false;
    return reply;
  }
}

class Context extends CommandTurn implements EventSourcedContext<unknown> {
  readonly #entity: Live;

  constructor(entity: Live, command: Command) {
    super(entity.registration.service.typeName, command);
    this.#entity = entity;
  }

  get state(): unknown {
    this.check();
    return this.#entity.state;
  }

  get sequence(): bigint {
    this.check();
    return this.#entity.sequence;
  }

  emit<P extends Payload>(type: P, event: PayloadInit<P>): void {
    this.check();
    try {
      this.#entity.emit(payloadType(type), event);
    } catch (error) {
      this.#entity.fault ??= { error };
      throw error;
    }
  }
}
