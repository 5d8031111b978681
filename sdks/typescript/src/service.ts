// What a service's descriptor says about its handlers, checked when they are registered.

import { type DescField, type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";

import { entity_key } from "./protos/cloudstate/entity_key_pb.js";
import { legacy_entity_key } from "./protos/cloudstate/legacy_entity_key_pb.js";

/** What was registered cannot be served. */
export class DeclarationError extends Error {
  override name = "DeclarationError";
}

/** A service as generated code describes it. */
export type Service = Omit<DescService, "method"> & { readonly method: Readonly<Record<string, DescMethod>> };

/** @internal */
export type Handler = (...inputs: never[]) => unknown;

/** @internal */
export interface Bound {
  readonly method: DescMethod;
  /** Bound to the object that it is a method of. */
  readonly handler: (...inputs: unknown[]) => unknown;
}

/**
 * Handlers by the names of commands.
 *
 * @internal
 * @throws {DeclarationError} if one is missing, or belongs to no method
 */
export function bind(service: Service, handlers: object): ReadonlyMap<string, Bound> {
  const bound = new Map<string, Bound>();
  for (const [name, method] of Object.entries(service.method)) {
    const handler: unknown = Reflect.get(handlers, name);
    if (typeof handler !== "function") {
      throw new DeclarationError(`${service.typeName}: there is no handler ${name} for the method ${method.name}`);
    }
    bound.set(method.name, { method, handler: handler.bind(handlers) as Bound["handler"] });
  }
  // Methods of a class are not seen here: it may have others for itself.
  for (const name of Object.keys(handlers)) {
    if (!(name in service.method) && typeof Reflect.get(handlers, name) === "function") {
      const methods = Object.keys(service.method).join(", ");
      throw new DeclarationError(`${service.typeName}: the handler ${name} belongs to no method; there are ${methods}`);
    }
  }
  return bound;
}

/** @internal */
export interface Shape {
  /** What kind of entity this is, for people. */
  readonly entities: string;
  readonly streamsOut: boolean;
}

/**
 * Checks what the proxy would refuse later, and says it here, where the mistake is.
 *
 * @internal
 * @throws {DeclarationError} if a method streams where it cannot, or its input has no entity key
 */
export function checkEntity(service: Service, shape: Shape): void {
  for (const method of Object.values(service.method)) {
    const streamsIn = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
    if (streamsIn || (method.methodKind === "server_streaming" && !shape.streamsOut)) {
      throw new DeclarationError(
        `${service.typeName}.${method.name} is streamed, which ${shape.entities} do not support`,
      );
    }
    if (!method.input.fields.some(isKey)) {
      throw new DeclarationError(
        `${service.typeName}.${method.name}: its input ${method.input.typeName} has no entity key; mark a field with ` +
          "[(cloudstate.entity_key) = true]",
      );
    }
  }
}

function isKey(field: DescField): boolean {
  return getOption(field, entity_key) || getOption(field, legacy_entity_key);
}

/** What entities of all kinds are registered with. */
export interface EntityOptions {
  /**
   * How long an entity stays in memory without a command, in milliseconds. Default: what the proxy is configured to.
   */
  readonly passivationTimeout?: number;
  /**
   * Whether commands shall carry the caller's metadata. A proxy of protocol 0.2 may not know of this, and then sends
   * none. Default: true.
   */
  readonly commandMetadata?: boolean;
}

/** @internal */
export function checkOptions(service: Service, options: EntityOptions): void {
  const timeout = options.passivationTimeout;
  if (timeout !== undefined && !(Number.isSafeInteger(timeout) && timeout > 0)) {
    throw new DeclarationError(
      `${service.typeName}: passivationTimeout is ${String(timeout)}, but must be a whole number of milliseconds above 0`,
    );
  }
}

/** @internal */
export function checkPersistenceId(service: Service, id: unknown): string {
  if (typeof id !== "string" || id === "") {
    throw new DeclarationError(`the persistence id of ${service.typeName} is empty: give it a name that never changes`);
  }
  return id;
}
