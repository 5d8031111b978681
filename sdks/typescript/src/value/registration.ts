// Value entities: the state is one value, stored whole.
//
//   init(value) ─▶ handler(command) ⟲ ─▶ reply, update | delete

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

import type { Answer, MaybePromise } from "../answer.js";
import type { CommandContext } from "../context.js";
import { type Payload, type PayloadInit, type PayloadType, type PayloadValue, payloadType } from "../payload.js";
import {
  type Bound,
  type EntityOptions,
  type Service,
  bind,
  checkEntity,
  checkOptions,
  checkPersistenceId,
} from "../service.js";

/** The entity as its command handlers see it. Valid only while the handler runs. */
export interface ValueContext<P extends Payload> extends CommandContext {
  /**
   * The value, with this command's change; `undefined` if it was never set or is deleted. It is a copy: only
   * {@link update} changes what is stored.
   */
  readonly state: PayloadValue<P> | undefined;
  /** Replaces the value. The last update or delete of a command counts; a failure undoes it. */
  update(value: PayloadInit<P>): void;
  /** Deletes the value. The last update or delete of a command counts; a failure undoes it. */
  delete(): void;
}

/** One handler for each method of a service. A class may implement it. */
export type ValueCommands<S extends Service, P extends Payload> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends {
    methodKind: "unary";
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? (command: MessageShape<I>, ctx: ValueContext<P>) => MaybePromise<Answer<O>>
    : never;
};

/** What a value entity is. */
export interface ValueOptions<S extends Service, P extends Payload> extends EntityOptions {
  /** The name of its values in the store. Never change it. */
  readonly persistenceId: string;
  /** The type of the value. */
  readonly state: P;
  /** What commands do. */
  readonly commands: ValueCommands<S, NoInfer<P>>;
}

/** A value entity, ready to be served by a user function. */
export class Value {
  readonly kind = "value";

  /** @internal */
  constructor(
    readonly service: Service,
    readonly persistenceId: string,
    /** @internal */ readonly options: EntityOptions,
    /** @internal */ readonly type: PayloadType<unknown, unknown>,
    /** @internal */ readonly commands: ReadonlyMap<string, Bound>,
  ) {}
}

/**
 * A value entity that implements a service.
 *
 * @throws {DeclarationError} if something is missing or wrong; its message says what and where
 */
export function value<S extends Service, P extends Payload>(service: S, options: ValueOptions<S, P>): Value {
  checkEntity(service, { entities: "value entities", streamsOut: false });
  checkOptions(service, options);
  return new Value(
    service,
    checkPersistenceId(service, options.persistenceId),
    options,
    payloadType(options.state),
    bind(service, options.commands),
  );
}
