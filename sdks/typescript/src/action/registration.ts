// Actions: commands without state, in four shapes.
//
//   messages ─▶ first: service, command, metadata ─▶ handler ─▶ one response | a stream of responses

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

import type { Answer, MaybePromise, NoReply } from "../answer.js";
import type { Effects } from "../context.js";
import type { Metadata } from "../metadata.js";
import { type Bound, type Service, bind } from "../service.js";

/** What the handler of an action knows about the call. Valid only while the handler runs. */
export interface ActionContext extends Effects {
  /** Full name of the service. */
  readonly service: string;
  /** Simple name of the method. */
  readonly command: string;
  /** The caller's metadata. */
  readonly metadata: Metadata;
  /** Aborted when the caller has gone. Give it to what takes long. */
  readonly signal: AbortSignal;
}

/**
 * The messages that a caller streams, in order. It ends when the caller has sent all. When the caller goes away or sends
 * garbage, it throws, and nothing that the handler does then reaches the caller.
 */
export interface Commands<T> extends AsyncIterable<T> {
  /**
   * The metadata that came with the last message. Gateways send it with the call (`ctx.metadata`) rather than with each
   * message; event sources do the reverse.
   */
  readonly metadata: Metadata;
}

/** What the handler of an action may answer: as of an entity, or nothing. */
export type ActionAnswer<O extends DescMessage> = Answer<O> | NoReply;

/**
 * One handler for each method of a service. A class may implement it. An async generator is a handler that streams out:
 * the effects that were added since the last answer go with the next one that it yields. A failure that it yields is
 * sent as an answer, one that it throws ends the call.
 */
export type ActionHandlers<S extends Service> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends {
    methodKind: infer Kind;
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? ActionHandler<Kind, I, O>
    : never;
};

/** The handler of a method of one of the four kinds. */
export type ActionHandler<Kind, I extends DescMessage, O extends DescMessage> = Kind extends "unary"
  ? (command: MessageShape<I>, ctx: ActionContext) => MaybePromise<ActionAnswer<O>>
  : Kind extends "client_streaming"
    ? (commands: Commands<MessageShape<I>>, ctx: ActionContext) => MaybePromise<ActionAnswer<O>>
    : Kind extends "server_streaming"
      ? (command: MessageShape<I>, ctx: ActionContext) => AsyncIterable<ActionAnswer<O>>
      : (commands: Commands<MessageShape<I>>, ctx: ActionContext) => AsyncIterable<ActionAnswer<O>>;

/** An action, ready to be served by a user function. */
export class Action {
  readonly kind = "action";

  /** @internal */
  constructor(
    readonly service: Service,
    /** @internal */ readonly handlers: ReadonlyMap<string, Bound>,
  ) {}
}

/**
 * An action that implements a service.
 *
 * @throws {DeclarationError} if a handler is missing or belongs to no method
 */
export function action<S extends Service>(service: S, handlers: ActionHandlers<S>): Action {
  return new Action(service, bind(service, handlers));
}
