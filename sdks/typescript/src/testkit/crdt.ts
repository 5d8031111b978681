// One CRDT entity on one node, and what the proxy knows of it.

import { type DescMessage, type MessageInitShape, type MessageShape, create } from "@bufbuild/protobuf";

import type { Method } from "../call.js";
import { type Crdt, deltaOf } from "../crdt/crdt.js";
import { CrdtMachine } from "../crdt/machine.js";
import type { CrdtEntity } from "../crdt/registration.js";
import { Vote } from "../crdt/simple.js";
import {
  CrdtDeleteSchema,
  type CrdtDelta,
  type CrdtStateAction,
  type CrdtStreamIn,
  CrdtStreamInSchema,
  type CrdtStreamOut,
  type CrdtStreamedMessage,
  CrdtWriteConsistency,
  VoteDeltaSchema,
} from "../protos/cloudstate/crdt_pb.js";
import { StreamCancelledSchema } from "../protos/cloudstate/entity_pb.js";
import { type CallOptions, ENTITY_ID, SILENT_LOG, type TestOptions, command } from "./common.js";
import { type Facts, Outcome, type SentEffect } from "./outcome.js";

/** The outcome of a command of a CRDT entity. */
export class CrdtOutcome<O extends DescMessage> extends Outcome<O> {
  /** Whether the command changed the state, so that other nodes will see it. */
  readonly changed: boolean;
  /** On how many nodes the change must be before the client gets its answer; `undefined` if there is none. */
  readonly writeConsistency: "local" | "majority" | "all" | undefined;

  /** @internal */
  constructor(facts: Facts, action: CrdtStateAction | undefined) {
    super({ ...facts, deleted: action?.action.case === "delete" });
    this.changed = action?.action.case === "update";
    this.writeConsistency = action && CONSISTENCIES[action.writeConsistency];
  }
}

const CONSISTENCIES = {
  [CrdtWriteConsistency.LOCAL]: "local",
  [CrdtWriteConsistency.MAJORITY]: "majority",
  [CrdtWriteConsistency.ALL]: "all",
} as const;

/** The stream of a streamed command. */
export interface OpenStream<O extends DescMessage> {
  /** What the command itself was answered with. */
  readonly first: CrdtOutcome<O>;
  /** Whether the entity keeps the stream open. */
  readonly open: boolean;
  /** What came after the first answer, in order, and has not been taken yet. */
  take(): Outcome<O>[];
  /** The client goes away. Returns the effects of that, and whether it changed the state. */
  cancel(): Promise<{ readonly effects: readonly SentEffect[]; readonly changed: boolean }>;
}

interface Stream {
  readonly output: DescMessage;
  open: boolean;
  messages: Outcome<DescMessage>[];
}

/** A CRDT entity under test, with what the proxy would know of it. */
export class CrdtTest<C extends Crdt> {
  readonly #entity: CrdtEntity<C>;
  readonly #entityId: string;
  readonly #streams = new Map<bigint, Stream>();
  /** The replicated state; `undefined` if there is none. */
  #replica: C | undefined;
  /** `undefined` until the next command activates the entity. */
  #machine: CrdtMachine | undefined;
  #lastCommand = 0n;

  /** A new entity, which no node has changed. */
  constructor(entity: CrdtEntity<C>, options: TestOptions = {}) {
    this.#entity = entity;
    this.#entityId = options.entityId ?? ENTITY_ID;
  }

  /** Sends a command, loading the entity first if it is not in memory, and replicates what comes out. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<CrdtOutcome<O>> {
    return (await this.#command(method, message, options)).outcome;
  }

  /** Sends a streamed command. */
  async open<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<OpenStream<O>> {
    const { id, outcome, streamed } = await this.#command(method, message, options);
    const stream: Stream = { output: method.output, open: streamed, messages: [] };
    if (streamed) this.#streams.set(id, stream);
    return {
      first: outcome,
      get open() {
        return stream.open;
      },
      take: () => stream.messages.splice(0),
      cancel: () => this.#cancel(id, stream),
    };
  }

  /** Lets another node change the state. Of votes, use {@link replicateVotes}. */
  async replicate(change: (state: C) => void): Promise<void> {
    const other = this.#entity.make(this.#entityId);
    if (this.#replica !== undefined) other.apply(this.#replica.fullDelta());
    change(other);
    // Where there was nothing, all of it is new.
    const delta = this.#replica === undefined ? other.fullDelta() : other.delta();
    if (delta !== undefined) await this.#others(delta);
  }

  /** Lets the votes of all nodes be these. */
  async replicateVotes(votes: Omit<MessageShape<typeof VoteDeltaSchema>, "$typeName" | "$unknown">): Promise<void> {
    await this.#others(deltaOf({ case: "vote", value: create(VoteDeltaSchema, votes) }));
  }

  async #others(delta: CrdtDelta): Promise<void> {
    this.#replica ??= this.#entity.make(this.#entityId);
    this.#replica.apply(delta);
    if (this.#machine !== undefined) this.#dispatch(await this.#send({ case: "delta", value: delta }));
  }

  /** Lets another node delete the entity. */
  async replicateDelete(): Promise<void> {
    this.#replica = undefined;
    if (this.#machine === undefined) return;
    this.#dispatch(await this.#send({ case: "delete", value: create(CrdtDeleteSchema) }));
  }

  /** Takes the entity out of memory, as passivation does; the next command loads its replicated state. */
  restart(): void {
    this.#machine = undefined;
    for (const stream of this.#streams.values()) stream.open = false;
    this.#streams.clear();
  }

  async #command<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<{ id: bigint; outcome: CrdtOutcome<O>; streamed: boolean }> {
    this.#lastCommand += 1n;
    const id = this.#lastCommand;
    const value = command(this.#entity.service, method, message, { ...options, id, entityId: this.#entityId });
    const [first, ...more] = await this.#send({ case: "command", value });
    const out = first?.message;
    if (out?.case === "failure") {
      this.restart();
      const told = { case: "crash", value: out.value.description } as const;
      const facts = { output: method.output, told, restarted: true };
      return { id, outcome: new CrdtOutcome(facts, undefined), streamed: false };
    }
    if (out?.case !== "reply") throw new Error("the command was not answered");
    this.#store(out.value.stateAction);
    this.#dispatch(more);
    const { clientAction, sideEffects: effects, stateAction, streamed } = out.value;
    const facts = { output: method.output, told: clientAction?.action ?? { case: undefined }, effects };
    return { id, outcome: new CrdtOutcome(facts, stateAction), streamed };
  }

  async #cancel(id: bigint, stream: Stream): Promise<{ effects: readonly SentEffect[]; changed: boolean }> {
    stream.open = false;
    this.#streams.delete(id);
    const value = create(StreamCancelledSchema, { entityId: this.#entityId, id });
    const [first, ...more] = await this.#send({ case: "streamCancelled", value });
    if (first?.message.case !== "streamCancelledResponse") throw new Error("the cancellation was not answered");
    const { sideEffects: effects, stateAction } = first.message.value;
    this.#store(stateAction);
    this.#dispatch(more);
    const outcome = new Outcome({ output: stream.output, told: { case: undefined }, effects });
    return { effects: outcome.effects, changed: stateAction !== undefined };
  }

  async #send(message: CrdtStreamIn["message"]): Promise<readonly CrdtStreamOut[]> {
    if (this.#machine === undefined) {
      this.#machine = new CrdtMachine(new Map([[this.#entity.service.typeName, this.#entity]]), SILENT_LOG);
      const init = { serviceName: this.#entity.service.typeName, entityId: this.#entityId };
      const value = this.#replica === undefined ? init : { ...init, delta: this.#full(this.#replica) };
      const { send } = await this.#machine.receive(create(CrdtStreamInSchema, { message: { case: "init", value } }));
      if (send.length > 0) return send;
    }
    return (await this.#machine.receive(create(CrdtStreamInSchema, { message }))).send;
  }

  /** The whole state as the proxy sends it. */
  #full(replica: Crdt): CrdtDelta {
    if (!(replica instanceof Vote)) return replica.fullDelta();
    const { selfVote, votesFor, totalVoters } = replica;
    return deltaOf({ case: "vote", value: create(VoteDeltaSchema, { selfVote, votesFor, totalVoters }) });
  }

  /** Does what the proxy does with a change. */
  #store(action: CrdtStateAction | undefined): void {
    if (action?.action.case === "delete") this.#replica = undefined;
    if (action?.action.case !== "update") return;
    this.#replica ??= this.#entity.make(this.#entityId);
    const delta = action.action.value;
    if (this.#replica instanceof Vote && delta.delta.case === "vote") {
      this.#replica.vote(delta.delta.value.selfVote);
      this.#replica.commit();
    } else {
      this.#replica.apply(delta);
    }
  }

  #dispatch(messages: readonly CrdtStreamOut[]): void {
    for (const { message } of messages) {
      if (message.case === "streamedMessage") this.#deliver(message.value);
      if (message.case === "failure") {
        this.restart();
        throw new Error(`the entity broke: ${message.value.description}`);
      }
    }
  }

  #deliver(message: CrdtStreamedMessage): void {
    const stream = this.#streams.get(message.commandId);
    if (stream === undefined) throw new Error("a message came for a stream that is not open");
    const { output } = stream;
    const told = message.clientAction?.action ?? { case: undefined };
    const hasContent = told.case !== undefined || message.sideEffects.length > 0;
    if (hasContent) stream.messages.push(new Outcome({ output, told, effects: message.sideEffects }));
    if (!message.endStream && told.case !== "failure") return;
    stream.open = false;
    if (message.endStream) this.#streams.delete(message.commandId);
  }
}
