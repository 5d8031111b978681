// Event sourced entities: the state is what the events say.
//
//   init ─▶ initial(id) ─▶ restore(snapshot) ─▶ apply(event) … ─▶ handler(command) ⟲
//                                                                    │ emit ─▶ apply
//                                                                    ▼
//                                                      reply, events, snapshot

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

import type { Answer, MaybePromise } from "../answer.js";
import type { CommandContext } from "../context.js";
import { type Payload, type PayloadInit, type PayloadType, type PayloadValue, payloadType } from "../payload.js";
import {
  type Bound,
  DeclarationError,
  type EntityOptions,
  type Service,
  bind,
  checkEntity,
  checkOptions,
  checkPersistenceId,
} from "../service.js";

/** How many events lie between snapshots, unless the registration says otherwise. */
export const DEFAULT_SNAPSHOT_EVERY = 100;

/** What an event of one type does to the state. */
export interface EventHandler<State> {
  /** @internal */
  readonly type: PayloadType<unknown, unknown>;
  /** @internal */
  readonly apply: (state: State, event: unknown) => State | void;
  /** Without it, any object would do as one. */
  readonly state?: (state: State) => void;
}

/**
 * Says what events of one type do. `apply` returns the next state, or changes the one that it gets and returns nothing.
 * The event has happened: there is no way to decline it here.
 */
export type On<State> = <P extends Payload>(
  type: P,
  apply: (state: State, event: PayloadValue<P>) => State | void,
) => EventHandler<State>;

/** How a state is stored whole, as a value of one type. */
export interface SnapshotOptions<State, P extends Payload> {
  /** The type of the value. */
  readonly type: P;
  /** Makes the value. `undefined` skips this snapshot; the next is due after as many events again. */
  readonly take: (state: State) => PayloadInit<P> | undefined;
  /** Makes the state, as it was when the value was made. */
  readonly restore: (snapshot: PayloadValue<P>, entityId: string) => State;
}

/** @internal */
export interface SnapshotHandler {
  readonly type: PayloadType<unknown, unknown>;
  readonly take: (state: unknown) => unknown;
  readonly restore: (snapshot: unknown, entityId: string) => unknown;
}

/** The entity as its command handlers see it. Valid only while the handler runs. */
export interface EventSourcedContext<State> extends CommandContext {
  /** The state, with all events emitted so far. Only events change it: a handler that changes it itself loses that. */
  readonly state: State;
  /** Sequence number of the newest event, emitted ones included; 0 before the first. */
  readonly sequence: bigint;
  /**
   * Says that something has happened. The event is applied at once, so that the handler goes on with the new state; it
   * is stored with all others of the command, or none is. A failure after an event drops the state, which the proxy then
   * rebuilds from the log.
   */
  emit<P extends Payload>(type: P, event: PayloadInit<P>): void;
}

/** One handler for each method of a service. A class may implement it. */
export type EventSourcedCommands<S extends Service, State> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends {
    methodKind: "unary";
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? (command: MessageShape<I>, ctx: EventSourcedContext<State>) => MaybePromise<Answer<O>>
    : never;
};

/** What an event sourced entity is. */
export interface EventSourcedOptions<S extends Service, State, P extends Payload> extends EntityOptions {
  /** The name of its events in the store. Never change it. */
  readonly persistenceId: string;
  /** A snapshot is due whenever this many events were emitted; 0 for never. Default: 100. */
  readonly snapshotEvery?: number;
  /** The state before any event. */
  readonly initial: (entityId: string) => State;
  /** What can happen: a list of calls of `on`, one for each type of events. */
  readonly events: (on: On<NoInfer<State>>) => readonly EventHandler<NoInfer<State>>[];
  /** How the state is stored whole. Without it, all events are replayed whenever the entity is loaded. */
  readonly snapshot?: SnapshotOptions<NoInfer<State>, P>;
  /** What commands do. */
  readonly commands: EventSourcedCommands<S, NoInfer<State>>;
}

/** An event sourced entity, ready to be served by a user function. */
export class EventSourced {
  readonly kind = "event sourced";

  /** @internal */
  constructor(
    readonly service: Service,
    readonly persistenceId: string,
    /** @internal */ readonly options: EntityOptions,
    /** @internal */ readonly snapshotEvery: bigint,
    /** @internal */ readonly initial: (entityId: string) => unknown,
    /** @internal */ readonly events: readonly EventHandler<unknown>[],
    /** @internal */ readonly snapshot: SnapshotHandler | undefined,
    /** @internal */ readonly commands: ReadonlyMap<string, Bound>,
  ) {}
}

/**
 * An event sourced entity that implements a service.
 *
 * @throws {DeclarationError} if something is missing or wrong; its message says what and where
 */
export function eventSourced<S extends Service, State, P extends Payload = never>(
  service: S,
  options: EventSourcedOptions<S, State, P>,
): EventSourced {
  checkEntity(service, { entities: "event sourced entities", streamsOut: false });
  checkOptions(service, options);
  return new EventSourced(
    service,
    checkPersistenceId(service, options.persistenceId),
    options,
    every(service, options.snapshotEvery ?? DEFAULT_SNAPSHOT_EVERY),
    options.initial,
    distinct(service, options.events(on as On<State>) as readonly EventHandler<unknown>[]),
    snapshots(options.snapshot),
    bind(service, options.commands),
  );
}

function on(type: Payload, apply: (state: never, event: never) => unknown): EventHandler<unknown> {
  return { type: payloadType(type), apply: apply as EventHandler<unknown>["apply"] };
}

function snapshots<State, P extends Payload>(
  options: SnapshotOptions<State, P> | undefined,
): SnapshotHandler | undefined {
  if (options === undefined) return undefined;
  const { type, take, restore } = options;
  return { type: payloadType(type), take, restore } as SnapshotHandler;
}

function every(service: Service, events: number): bigint {
  if (!Number.isSafeInteger(events) || events < 0) {
    throw new DeclarationError(
      `${service.typeName}: snapshotEvery is ${String(events)}, but must be a number of events, or 0 for never`,
    );
  }
  return BigInt(events);
}

function distinct(service: Service, events: readonly EventHandler<unknown>[]): readonly EventHandler<unknown>[] {
  const seen = new Set<string>();
  for (const { type } of events) {
    if (seen.has(type.typeUrl)) {
      throw new DeclarationError(`${service.typeName}: there are two handlers for the event ${type.typeUrl}`);
    }
    seen.add(type.typeUrl);
  }
  return events;
}
