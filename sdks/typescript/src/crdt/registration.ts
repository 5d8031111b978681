// CRDT entities: replicated values, which every node may change at once.
//
//   init(delta) ─▶ state(id) ─▶ handler(command) ⟲ ─▶ reply, delta
//                      ▲                         └──▶ change callbacks of streamed commands ─▶ streamed messages
//        delta of others

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

import type { Answer, MaybePromise, NoReply } from "../answer.js";
import type { CommandContext, Effects } from "../context.js";
import { CrdtWriteConsistency } from "../protos/cloudstate/crdt_pb.js";
import {
  type Bound,
  type EntityOptions,
  type Service,
  bind,
  checkEntity,
  checkOptions,
  checkPersistenceId,
} from "../service.js";
import type { Crdt } from "./crdt.js";

/** On how many nodes a change must be before the client gets its answer. */
export type WriteConsistency = "local" | "majority" | "all";

/** @internal */
export const CONSISTENCIES = {
  local: CrdtWriteConsistency.LOCAL,
  majority: CrdtWriteConsistency.MAJORITY,
  all: CrdtWriteConsistency.ALL,
} as const;

/** The state as a handler may change it. */
export interface Changeable<C extends Crdt> {
  /** The state; made if there is none. What the handler changes is taken back if it fails. */
  readonly state: C;
  /** On how many nodes the change must be before the client gets its answer. Default: `local`. */
  writeConsistency: WriteConsistency;
  /** Deletes the entity, everywhere and for ever: its id cannot be used again. The state can still be read. */
  delete(): void;
}

/** The entity as its command handlers see it. Valid only while the handler runs. */
export interface CrdtContext<C extends Crdt> extends CommandContext, Changeable<C> {}

/** The entity as handlers of methods that stream out see it. Valid only while the handler runs. */
export interface StreamedCrdtContext<C extends Crdt, O extends DescMessage> extends CrdtContext<C> {
  /** Whether the caller takes a stream. If not, callbacks are never called. */
  readonly streamed: boolean;
  /**
   * Keeps the stream open, and calls back whenever the state has changed: by another command, or by another node. The
   * callback may return a message for the stream. A failure ends the stream.
   */
  onChange(callback: (ctx: ChangeContext<C>) => MaybePromise<ChangeAnswer<O>>): void;
  /** Keeps the stream open, and calls back when the caller has cancelled it. */
  onCancel(callback: (ctx: CancelContext<C>) => MaybePromise<void>): void;
}

/** What a change callback may return: a message, or nothing for none. */

export type ChangeAnswer<O extends DescMessage> = Answer<O> | NoReply | void;

/** The entity as change callbacks see it. Valid only while the callback runs. */
export interface ChangeContext<C extends Crdt> extends Effects {
  /** The entity id. */
  readonly entityId: string;
  /** The state, only to be read. */
  readonly state: C;
  /** Ends the stream, after the message that the callback returns. */
  end(): void;
}

/** The entity as cancel callbacks see it. Valid only while the callback runs. */
export interface CancelContext<C extends Crdt> extends Omit<Effects, "fail">, Changeable<C> {
  /** The entity id. */
  readonly entityId: string;
}

/** One handler for each method of a service. A class may implement it. */
export type CrdtCommands<S extends Service, C extends Crdt> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends {
    methodKind: infer Kind;
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? Kind extends "unary"
      ? (command: MessageShape<I>, ctx: CrdtContext<C>) => MaybePromise<Answer<O>>
      : Kind extends "server_streaming"
        ? (command: MessageShape<I>, ctx: StreamedCrdtContext<C, O>) => MaybePromise<ChangeAnswer<O>>
        : never
    : never;
};

/** What a CRDT entity is. */
export interface CrdtOptions<S extends Service, C extends Crdt> extends EntityOptions {
  /** The name of its state among the proxies. Never change it. Default: the simple name of the service. */
  readonly persistenceId?: string;
  /**
   * Makes the state, as it is while nothing has happened. What others have done is then applied to it. What it has beside
   * the CRDT, as by `Object.assign(new Vote(), { connections: 0 })`, lives as long as the entity is in memory, here only.
   */
  readonly state: (entityId: string) => C;
  /** What commands do. */
  readonly commands: CrdtCommands<S, NoInfer<C>>;
}

/** A CRDT entity, ready to be served by a user function. */
export class CrdtEntity<C extends Crdt = Crdt> {
  readonly kind = "CRDT";
  /** Without it, an entity of any state would do. */
  declare protected readonly state: C;

  /** @internal */
  constructor(
    readonly service: Service,
    readonly persistenceId: string,
    /** @internal */ readonly options: EntityOptions,
    /** @internal */ readonly make: (entityId: string) => C,
    /** @internal */ readonly commands: ReadonlyMap<string, Bound>,
  ) {}
}

/**
 * A CRDT entity that implements a service.
 *
 * @throws {DeclarationError} if something is missing or wrong; its message says what and where
 */
export function crdt<S extends Service, C extends Crdt>(service: S, options: CrdtOptions<S, C>): CrdtEntity<C> {
  checkEntity(service, { entities: "CRDT entities", streamsOut: true });
  checkOptions(service, options);
  const simpleName = service.typeName.slice(service.typeName.lastIndexOf(".") + 1);
  return new CrdtEntity(
    service,
    checkPersistenceId(service, options.persistenceId ?? simpleName),
    options,
    options.state,
    bind(service, options.commands),
  );
}
