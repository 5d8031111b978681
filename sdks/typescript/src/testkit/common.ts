// What the tests of all kinds of entities have in common.

import { type DescMessage, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";

import { type Method, typeUrlOf } from "../call.js";
import type { Log } from "../log.js";
import type { Metadata } from "../metadata.js";
import { type Command, CommandSchema } from "../protos/cloudstate/entity_pb.js";
import type { Service } from "../service.js";
import { UnexpectedOutcome } from "./outcome.js";

/** The entity id of tests that choose none. */
export const ENTITY_ID = "test-entity";

/** What a test may say about an entity. */
export interface TestOptions {
  /** Its id. Default: `test-entity`. */
  readonly entityId?: string;
}

/** What a test may say about a command. */
export interface CallOptions {
  /** What the caller sends beside the message. */
  readonly metadata?: Metadata;
}

/** @internal */
export function command<I extends DescMessage>(
  service: Service,
  method: Method<I, DescMessage>,
  message: MessageInitShape<I>,
  how: CallOptions & { readonly id: bigint; readonly entityId: string },
): Command {
  if (method.parent.typeName !== service.typeName) {
    const name = `${method.parent.typeName}.${method.name}`;
    throw new UnexpectedOutcome(`this test is of ${service.typeName}, which has no method ${name}`);
  }
  const value = toBinary(method.input, create(method.input, message));
  const command = create(CommandSchema, {
    entityId: how.entityId,
    id: how.id,
    name: method.name,
    payload: create(AnySchema, { typeUrl: typeUrlOf(method.input), value }),
    streamed: method.methodKind === "server_streaming",
  });
  const metadata = how.metadata?.toWire();
  if (metadata !== undefined) command.metadata = metadata;
  return command;
}

/** A test sees what happens from its outcome; a log beside it would be noise. @internal */
export const SILENT_LOG: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
