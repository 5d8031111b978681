// What a command handler returns.

import { type DescMessage, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { AnySchema, type EmptySchema } from "@bufbuild/protobuf/wkt";

import { type Call, typeUrlOf } from "./call.js";
import { Metadata } from "./metadata.js";
import { type ClientAction, ClientActionSchema, FailureSchema, ReplySchema } from "./protos/cloudstate/entity_pb.js";

/**
 * Declines a command. The client gets the text; the state stays as it was before the command. Throw it or return it.
 * For problems that are not the caller's, throw any other error: its text then goes to the log only, and the entity is
 * loaded afresh.
 */
export class Failure extends Error {
  override name = "Failure";
}

/** A message with metadata for the client. Make it with {@link reply}. */
export class Reply<O extends DescMessage> {
  /** Without it, a reply of any type would do. */
  declare protected readonly output: O;

  /** @internal */
  constructor(
    /** @internal */ readonly replied: MessageInitShape<O>,
    /** What the client gets as headers. */
    readonly metadata: Metadata,
  ) {}
}

/** Another command, which answers in this one's place. Make it with {@link forward}. */
export class Forward<O extends DescMessage> {
  /** @internal */
  constructor(
    /** The command that answers. */
    readonly target: Call<O>,
  ) {}
}

/** No answer at all; see {@link noReply}. */
export class NoReply {
  /** Without it, any object would do as one. */
  declare protected readonly isNoReply: true;
}

/** What a handler may return for a reply of type `O`: the message, or what says more about it. */
export type Answer<O extends DescMessage> =
  | MessageInitShape<O>
  | Reply<O>
  | Forward<O>
  | Failure
  // There is nothing to say with google.protobuf.Empty.
  | (O extends typeof EmptySchema ? void : never);

/** Now or later. */
export type MaybePromise<T> = T | Promise<T>;

/** Answers with a message and metadata, which becomes headers for the client. */
export function reply<O extends DescMessage>(message: MessageInitShape<O>, metadata = Metadata.empty): Reply<O> {
  return new Reply<O>(message, metadata);
}

/** Lets another command answer; it must reply with the same type. */
export function forward<O extends DescMessage>(call: Call<O>): Forward<O> {
  return new Forward(call);
}

const NOTHING = new NoReply();

/**
 * Answers with no message at all. Only actions and CRDT entities may: for example in a stream, where an input only has
 * side effects.
 */
export function noReply(): NoReply {
  return NOTHING;
}

/** An answer on its way to the client. @internal */
export type Settled =
  | { readonly kind: "failure"; readonly description: string }
  | { readonly kind: "nothing" }
  | { readonly kind: "action"; readonly action: ClientAction };

/**
 * Encodes what a handler returned. `undefined` means that it returned nothing although its reply has content.
 *
 * @internal
 */
export function settle(output: DescMessage, returned: unknown): Settled | undefined {
  if (returned instanceof Failure) return { kind: "failure", description: returned.message };
  if (returned instanceof NoReply) return { kind: "nothing" };
  if (returned instanceof Forward) {
    const target = (returned as Forward<DescMessage>).target;
    return action({ case: "forward", value: target.toForward() });
  }
  if (returned instanceof Reply) return replied(output, returned.replied, returned.metadata);
  if (returned !== undefined && returned !== null) return replied(output, returned, Metadata.empty);
  return output.fields.length === 0 ? replied(output, {}, Metadata.empty) : undefined;
}

function replied(output: DescMessage, message: object, metadata: Metadata): Settled {
  const encoded = toBinary(output, create(output, message as MessageInitShape<DescMessage>));
  const reply = create(ReplySchema, { payload: create(AnySchema, { typeUrl: typeUrlOf(output), value: encoded }) });
  const wire = metadata.toWire();
  if (wire !== undefined) reply.metadata = wire;
  return action({ case: "reply", value: reply });
}

function action(action: ClientAction["action"]): Settled {
  return { kind: "action", action: create(ClientActionSchema, { action }) };
}

/** A declined command of an entity. @internal */
export function declined(commandId: bigint, description: string, restart = false): ClientAction {
  const failure = create(FailureSchema, { commandId, description, restart });
  return create(ClientActionSchema, { action: { case: "failure", value: failure } });
}
