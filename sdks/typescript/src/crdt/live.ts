// One CRDT entity in memory.

import { create } from "@bufbuild/protobuf";

import { Failure, type Settled, declined, settle } from "../answer.js";
import { run } from "../context.js";
import { decode } from "../decode.js";
import { type Log, traceOf } from "../log.js";
import {
  type CrdtDelta,
  CrdtReplySchema,
  type CrdtStateAction,
  CrdtStateActionSchema,
  CrdtStreamCancelledResponseSchema,
  CrdtStreamedMessageSchema,
  type CrdtStreamOut,
  CrdtStreamOutSchema,
} from "../protos/cloudstate/crdt_pb.js";
import type { ClientAction, Command, StreamCancelled } from "../protos/cloudstate/entity_pb.js";
import type { Bound } from "../service.js";
import { Broken } from "../step.js";
import { CancelTurn, ChangeTurn, Context, type Wishes } from "./contexts.js";
import type { Crdt, Gate } from "./crdt.js";
import { CONSISTENCIES, type CrdtEntity } from "./registration.js";

const IDLE = "the state of a CRDT entity can be changed only while a command or a cancel callback is handled";
const READ_ONLY = "the state of a CRDT entity cannot be changed in a change callback";
const DELETED = "Entity deleted";

/** A streamed command whose stream is open. */
interface Subscription {
  readonly command: Command;
  readonly method: Bound["method"];
  onChange: Context["onChangeCallback"];
  readonly onCancel: Context["onCancelCallback"];
}

/** @internal */
export class Live {
  readonly registration: CrdtEntity;
  readonly entityId: string;
  readonly #log: Log;
  readonly #gate: Gate = { closed: IDLE };
  readonly #streams = new Map<bigint, Subscription>();
  #state: Crdt | undefined;
  #isDeleted = false;

  constructor(registration: CrdtEntity, entityId: string, delta: CrdtDelta | undefined, log: Log) {
    this.registration = registration;
    this.entityId = entityId;
    this.#log = log;
    if (delta !== undefined) this.state.apply(delta);
  }

  get name(): string {
    return `${this.registration.service.typeName} [${this.entityId}]`;
  }

  /** Made when somebody needs it: an entity that nobody has changed does not exist. */
  get state(): Crdt {
    if (this.#state === undefined) {
      this.#state = this.registration.make(this.entityId);
      this.#state.bind(this.#gate);
    }
    return this.#state;
  }

  /** Takes over what others did. */
  async replicated(delta: CrdtDelta): Promise<CrdtStreamOut[]> {
    if (this.#isDeleted) return [];
    this.state.apply(delta);
    return this.#notify();
  }

  /** Others deleted it. Their proxy ends the streams. */
  deleted(): void {
    this.#isDeleted = true;
    this.#streams.clear();
  }

  async run(command: Command): Promise<CrdtStreamOut[]> {
    const { method, handler } = this.#check(command);
    if (this.#isDeleted) return [reply(command.id, declined(command.id, DELETED))];
    if (command.payload === undefined) throw new Broken(command.id, "Protocol error: No command payload");
    const turn = new Context(this, command);
    const message = decode(method, command, command.payload);
    const returned = await this.#changing(() => run(turn, () => handler(message, turn)));
    const streams = method.methodKind === "server_streaming";
    const settled = answered(method, returned, streams);
    if (settled === undefined) {
      throw new Broken(command.id, "Unexpected failure: No reply or forward returned by command handler!");
    }
    if (settled.kind === "failure") {
      this.#state?.rollback();
      return [reply(command.id, declined(command.id, settled.description))];
    }
    return this.#finish(command, method, turn, settled);
  }

  async #finish(command: Command, method: Bound["method"], turn: Context, settled: Settled): Promise<CrdtStreamOut[]> {
    const out = create(CrdtReplySchema, { commandId: command.id, sideEffects: turn.takeEffects() });
    if (settled.kind === "action") out.clientAction = settled.action;
    const stateAction = this.#stateAction(turn);
    if (stateAction !== undefined) out.stateAction = stateAction;
    // A stream does not hear of the command that opened it.
    const notified = stateAction === undefined ? [] : await this.#notify();
    const { onChangeCallback: onChange, onCancelCallback: onCancel } = turn;
    if (command.streamed && !this.#isDeleted && (onChange ?? onCancel) !== undefined) {
      out.streamed = true;
      this.#streams.set(command.id, { command, method, onChange, onCancel });
    }
    return [create(CrdtStreamOutSchema, { message: { case: "reply", value: out } }), ...notified];
  }

  #check(command: Command): Bound {
    if (command.entityId !== this.entityId) {
      throw new Broken(command.id, "Protocol error: Receiving entity is not the intended recipient of command");
    }
    const bound = this.registration.commands.get(command.name);
    if (bound === undefined) throw new Broken(command.id, `Protocol error: Unknown command: ${command.name}`);
    return bound;
  }

  /** The caller of a stream has gone. There is an answer to this, whatever is known of the stream. */
  async cancelled({ id, entityId }: StreamCancelled): Promise<CrdtStreamOut[]> {
    if (entityId !== this.entityId) {
      throw new Broken(0n, "Protocol error: Receiving entity is not the intended recipient of stream cancellation");
    }
    const out = create(CrdtStreamCancelledResponseSchema, { commandId: id });
    const message = create(CrdtStreamOutSchema, { message: { case: "streamCancelledResponse", value: out } });
    const subscription = this.#streams.get(id);
    this.#streams.delete(id);
    const onCancel = subscription?.onCancel;
    if (onCancel === undefined) return [message];
    const turn = new CancelTurn(this, `the cancellation of command ${id.toString()} of ${this.name}`);
    try {
      const returned = await this.#changing(() => run(turn, () => onCancel(turn)));
      if (returned instanceof Failure) throw returned;
    } catch (error) {
      // The caller has gone, so there is nobody else to tell.
      this.#log.error(`${turn.what} failed: ${traceOf(error)}`);
      this.#state?.rollback();
      return [message];
    }
    out.sideEffects = turn.takeEffects();
    const stateAction = this.#stateAction(turn);
    if (stateAction === undefined) return [message];
    out.stateAction = stateAction;
    return [message, ...(await this.#notify())];
  }

  async #changing<T>(change: () => Promise<T>): Promise<T> {
    this.#gate.closed = undefined;
    try {
      return await change();
    } finally {
      this.#gate.closed = IDLE;
    }
  }

  /** Takes the change over and says what the proxy must do. */
  #stateAction(wishes: Wishes): CrdtStateAction | undefined {
    const writeConsistency = CONSISTENCIES[wishes.writeConsistency];
    if (wishes.isDeleted) {
      this.deleted();
      return create(CrdtStateActionSchema, { action: { case: "delete", value: {} }, writeConsistency });
    }
    const delta = this.#state?.delta();
    this.#state?.commit();
    if (delta === undefined) return undefined;
    return create(CrdtStateActionSchema, { action: { case: "update", value: delta }, writeConsistency });
  }

  /** What the open streams have to say to a change. */
  async #notify(): Promise<CrdtStreamOut[]> {
    const messages: CrdtStreamOut[] = [];
    for (const [id, subscription] of this.#streams) {
      const message = await this.#changed(id, subscription);
      if (message !== undefined) messages.push(message);
    }
    return messages;
  }

  async #changed(id: bigint, subscription: Subscription): Promise<CrdtStreamOut | undefined> {
    const { onChange, method } = subscription;
    if (onChange === undefined) return undefined;
    const turn = new ChangeTurn(this, `the change callback of command ${id.toString()} of ${this.name}`);
    const settled = await this.#told(turn, method, () => onChange(turn));
    const out = create(CrdtStreamedMessageSchema, { commandId: id, endStream: turn.isEnd });
    if (settled.kind === "failure") {
      // That ends the client's stream. The proxy then cancels it here, which the cancel callback waits for.
      subscription.onChange = undefined;
      out.clientAction = declined(id, settled.description);
    } else {
      out.sideEffects = turn.takeEffects();
      if (settled.kind === "action") out.clientAction = settled.action;
    }
    if (turn.isEnd) this.#streams.delete(id);
    const says = out.clientAction !== undefined || out.sideEffects.length > 0 || out.endStream;
    return says ? create(CrdtStreamOutSchema, { message: { case: "streamedMessage", value: out } }) : undefined;
  }

  /** Runs a change callback. What it throws fails its stream only. */
  async #told(turn: ChangeTurn, method: Bound["method"], callback: () => unknown): Promise<Settled> {
    this.#gate.closed = READ_ONLY;
    try {
      return answered(method, await run(turn, callback), true) ?? { kind: "nothing" };
    } catch (error) {
      this.#log.error(`${turn.what} failed: ${traceOf(error)}`);
      return { kind: "failure", description: `Error handling a change for command ${method.name}` };
    } finally {
      this.#gate.closed = IDLE;
    }
  }
}

/** In a stream, nothing is no message, even where the message would be empty. */
function answered(method: Bound["method"], returned: unknown, streams: boolean): Settled | undefined {
  return streams && returned === undefined ? { kind: "nothing" } : settle(method.output, returned);
}

function reply(commandId: bigint, clientAction: ClientAction): CrdtStreamOut {
  const value = create(CrdtReplySchema, { commandId, clientAction });
  return create(CrdtStreamOutSchema, { message: { case: "reply", value } });
}
