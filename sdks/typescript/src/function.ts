// A user function: what it serves, and what it tells the proxy about that.

import { create } from "@bufbuild/protobuf";

import { Action } from "./action/registration.js";
import type { CrdtEntity } from "./crdt/registration.js";
import { descriptorSet } from "./descriptors.js";
import type { EventSourced } from "./event-sourced/registration.js";
import { LIBRARY, PROTOCOL } from "./library.js";
import {
  type Entity,
  EntitySchema,
  EntityPassivationStrategySchema,
  type EntitySpec,
  EntitySpecSchema,
} from "./protos/cloudstate/entity_pb.js";
import type { Server, ServerOptions } from "./server/options.js";
import { serve } from "./server/server.js";
import { DeclarationError, type EntityOptions } from "./service.js";
import type { Value } from "./value/registration.js";

/** Anything that a user function serves. */
export type Registration = EventSourced | Value | CrdtEntity | Action;

/** A user function: the entities and actions of one process. */
export interface UserFunctionOptions {
  /** Its name, for people who look at the proxy. */
  readonly name: string;
  /** Its version, for people who look at the proxy. */
  readonly version: string;
  /** What it serves. */
  readonly serves: readonly Registration[];
}

/** A user function, checked. */
export class UserFunction {
  readonly name: string;
  readonly version: string;
  /** @internal */
  readonly declaration: Declaration;

  /**
   * A user function.
   *
   * @throws {DeclarationError} if what it serves does not fit together; its message says what and where
   */
  constructor(options: UserFunctionOptions) {
    this.name = options.name;
    this.version = options.version;
    this.declaration = declare(options);
  }

  /**
   * Serves the function, and resolves once it listens. Unless the options say otherwise, it listens on `HOST` and `PORT`
   * (127.0.0.1:8080), or on the Unix socket `SOCKET`.
   */
  start(options: ServerOptions = {}): Promise<Server> {
    return serve(this, options);
  }

  /**
   * Serves the function until SIGTERM or SIGINT, and resolves when all calls in flight have ended.
   */
  async run(options: ServerOptions = {}): Promise<void> {
    const server = await this.start(options);
    await signalled();
    await server.stop();
  }
}

/** The first SIGTERM or SIGINT. A second one ends the process at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const signals = ["SIGTERM", "SIGINT"] as const;
    const first = (): void => {
      for (const signal of signals) process.off(signal, first);
      resolve();
    };
    for (const signal of signals) process.on(signal, first);
  });
}

/** The answer to discovery, and the services by kind and full name. @internal */
export interface Declaration {
  readonly spec: EntitySpec;
  readonly eventSourced: ReadonlyMap<string, EventSourced>;
  readonly value: ReadonlyMap<string, Value>;
  readonly crdt: ReadonlyMap<string, CrdtEntity>;
  readonly action: ReadonlyMap<string, Action>;
}

/** The types of entities as the protocol names them. @internal */
export const ENTITY_TYPES = {
  "event sourced": "cloudstate.eventsourced.EventSourced",
  value: "cloudstate.valueentity.ValueEntity",
  CRDT: "cloudstate.crdt.Crdt",
  action: "cloudstate.action.ActionProtocol",
} as const;

function declare(options: UserFunctionOptions): Declaration {
  check(options.serves);
  const byKind = <K extends Registration["kind"]>(kind: K): Map<string, Extract<Registration, { kind: K }>> => {
    const those = options.serves.filter((it): it is Extract<Registration, { kind: K }> => it.kind === kind);
    return new Map(those.map((it) => [it.service.typeName, it]));
  };
  return {
    spec: spec(options),
    eventSourced: byKind("event sourced"),
    value: byKind("value"),
    crdt: byKind("CRDT"),
    action: byKind("action"),
  };
}

function spec({ name, version, serves }: UserFunctionOptions): EntitySpec {
  return create(EntitySpecSchema, {
    proto: descriptorSet(serves.map(({ service }) => service.file)),
    entities: serves.map(entity),
    serviceInfo: {
      serviceName: name,
      serviceVersion: version,
      serviceRuntime: `node ${process.version}`,
      supportLibraryName: LIBRARY.name,
      supportLibraryVersion: LIBRARY.version,
      protocolMajorVersion: PROTOCOL.major,
      protocolMinorVersion: PROTOCOL.minor,
    },
  });
}

function entity(registration: Registration): Entity {
  const { service, kind } = registration;
  const options: EntityOptions = registration instanceof Action ? {} : registration.options;
  const simpleName = service.typeName.slice(service.typeName.lastIndexOf(".") + 1);
  const entity = create(EntitySchema, {
    entityType: ENTITY_TYPES[kind],
    serviceName: service.typeName,
    persistenceId: registration instanceof Action ? simpleName : registration.persistenceId,
    commandMetadata: options.commandMetadata ?? true,
  });
  if (options.passivationTimeout !== undefined) {
    const timeout = BigInt(options.passivationTimeout);
    entity.passivationStrategy = create(EntityPassivationStrategySchema, {
      strategy: { case: "timeout", value: { timeout } },
    });
  }
  return entity;
}

function check(serves: readonly Registration[]): void {
  if (serves.length === 0) {
    throw new DeclarationError("the user function serves nothing: register at least one entity or action");
  }
  const services = new Set<string>();
  const ids = new Map<string, string>();
  for (const registration of serves) {
    const name = registration.service.typeName;
    if (services.has(name)) {
      throw new DeclarationError(`the service ${name} is registered twice: each service has one implementation`);
    }
    services.add(name);
    if (registration instanceof Action) continue;
    const id = registration.persistenceId;
    const first = ids.get(id);
    if (first !== undefined) {
      throw new DeclarationError(`the persistence id "${id}" is used by ${first} and by ${name}: give each its own`);
    }
    ids.set(id, name);
  }
}
