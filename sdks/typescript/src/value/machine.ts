// The protocol of one value entity in memory: message in, messages out. No transport, no clock.

import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { declined, settle } from "../answer.js";
import { CommandTurn, run } from "../context.js";
import { decode } from "../decode.js";
import { type Log, textOf, traceOf } from "../log.js";
import { type Command, FailureSchema } from "../protos/cloudstate/entity_pb.js";
import {
  type ValueEntityAction,
  ValueEntityActionSchema,
  type ValueEntityInit,
  type ValueEntityReply,
  ValueEntityReplySchema,
  type ValueEntityStreamIn,
  type ValueEntityStreamOut,
  ValueEntityStreamOutSchema,
} from "../protos/cloudstate/value_entity_pb.js";
import type { Bound } from "../service.js";
import { Broken, type Machine, SILENT, type Step, end, send } from "../step.js";
import type { Value, ValueContext } from "./registration.js";

/** @internal */
export type ValueServices = ReadonlyMap<string, Value>;

/** One stream of the protocol service: one activation of one entity. @internal */
export class ValueMachine implements Machine<ValueEntityStreamIn, ValueEntityStreamOut> {
  readonly #services: ValueServices;
  readonly #log: Log;
  #entity: Live | undefined;

  constructor(services: ValueServices, log: Log) {
    this.#services = services;
    this.#log = log;
  }

  async receive(message: ValueEntityStreamIn): Promise<Step<ValueEntityStreamOut>> {
    try {
      return await this.#accept(message.message);
    } catch (error) {
      return this.#broken(error, message.message.case === "command" ? message.message.value.id : 0n);
    }
  }

  async #accept(message: ValueEntityStreamIn["message"]): Promise<Step<ValueEntityStreamOut>> {
    if (message.case === undefined) throw new Broken(0n, "Protocol error: Value entity received empty/unknown message");
    if (message.case === "init") {
      if (this.#entity !== undefined) throw new Broken(0n, "Protocol error: Value entity already inited");
      this.#entity = this.#init(message.value);
      return SILENT;
    }
    if (this.#entity === undefined) throw new Broken(0n, "Protocol error: Expected init message for Value entity");
    const reply = await this.#entity.run(message.value);
    return send(create(ValueEntityStreamOutSchema, { message: { case: "reply", value: reply } }));
  }

  #init(init: ValueEntityInit): Live {
    const registration = this.#services.get(init.serviceName);
    if (registration === undefined) throw new Broken(0n, `Protocol error: Service not found: ${init.serviceName}`);
    return new Live(registration, init.entityId, init.state?.value);
  }

  /** The entity is dropped, so nobody sees what was left half done. */
  #broken(error: unknown, command: bigint): Step<ValueEntityStreamOut> {
    const entity = this.#entity?.name ?? "a value entity";
    this.#entity = undefined;
    this.#log.error(`${entity} failed at command ${command.toString()}; its activation ends: ${traceOf(error)}`);
    const unexpected = () => new Broken(command, `Value entity unexpected failure: ${textOf(error)}`);
    const broken = error instanceof Broken ? error : unexpected();
    const failure = create(FailureSchema, { commandId: broken.commandId, description: broken.message });
    return end(create(ValueEntityStreamOutSchema, { message: { case: "failure", value: failure } }));
  }
}

/** An entity in memory. */
class Live {
  readonly registration: Value;
  readonly entityId: string;
  /** Kept encoded: a handler gets a copy, so what it does to that and then declines leaves no trace. */
  stored: Any | undefined;

  constructor(registration: Value, entityId: string, stored: Any | undefined) {
    this.registration = registration;
    this.entityId = entityId;
    this.stored = stored;
    // What cannot be read is found out now, and not by the first handler that looks.
    if (stored !== undefined) registration.type.decode(stored);
  }

  get name(): string {
    return `${this.registration.service.typeName} [${this.entityId}]`;
  }

  async run(command: Command): Promise<ValueEntityReply> {
    const { method, handler } = this.#check(command);
    if (command.payload === undefined)
      throw new Broken(command.id, "Protocol error: No command payload for Value entity");
    const turn = new Context(this, command);
    const message = decode(method, command, command.payload, "Value entity unexpected failure");
    const settled = settle(method.output, await run(turn, () => handler(message, turn)));
    if (settled?.kind === "failure") {
      const clientAction = declined(command.id, settled.description);
      return create(ValueEntityReplySchema, { commandId: command.id, clientAction });
    }
    if (settled?.kind !== "action") {
      const what = "Value entity unexpected failure: No reply or forward returned by command handler!";
      throw new Broken(command.id, what);
    }
    const reply = create(ValueEntityReplySchema, { commandId: command.id, clientAction: settled.action });
    reply.sideEffects = turn.takeEffects();
    const stateAction = this.#store(turn.change);
    if (stateAction !== undefined) reply.stateAction = stateAction;
    return reply;
  }

  #check(command: Command): Bound {
    if (command.entityId !== this.entityId) {
      throw new Broken(command.id, "Protocol error: Receiving Value entity is not the intended recipient of command");
    }
    const bound = this.registration.commands.get(command.name);
    if (bound === undefined) throw new Broken(command.id, `Protocol error: Unknown command: ${command.name}`);
    return bound;
  }

  /** Takes a change over and says what the proxy must store. */
  #store(change: Change): ValueEntityAction | undefined {
    switch (change.kind) {
      case "none":
        return undefined;
      case "update":
        this.stored = change.value;
        return create(ValueEntityActionSchema, { action: { case: "update", value: { value: change.value } } });
      case "delete":
        this.stored = undefined;
        return create(ValueEntityActionSchema, { action: { case: "delete", value: {} } });
    }
  }
}

/** What a command did to the value so far. */
type Change =
  { readonly kind: "none" } | { readonly kind: "update"; readonly value: Any } | { readonly kind: "delete" };

class Context extends CommandTurn implements ValueContext<never> {
  change: Change = { kind: "none" };
  readonly #entity: Live;
  #read: { readonly value: unknown } | undefined;

  constructor(entity: Live, command: Command) {
    super(entity.registration.service.typeName, command);
    this.#entity = entity;
  }

  get state(): never {
    this.check();
    this.#read ??= { value: this.#decoded() };
    return this.#read.value as never;
  }

  #decoded(): unknown {
    const { stored, registration } = this.#entity;
    const value = this.change.kind === "update" ? this.change.value : stored;
    return this.change.kind === "delete" || value === undefined ? undefined : registration.type.decode(value);
  }

  update(value: unknown): void {
    this.check();
    this.change = { kind: "update", value: this.#entity.registration.type.encode(value) };
    this.#read = undefined;
  }

  delete(): void {
    this.check();
    this.change = { kind: "delete" };
    this.#read = undefined;
  }
}
