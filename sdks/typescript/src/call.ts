// References to commands of services of this function.

import { type DescMessage, type DescMethod, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";

import { Metadata } from "./metadata.js";
import {
  type Forward as WireForward,
  ForwardSchema,
  type SideEffect,
  SideEffectSchema,
} from "./protos/cloudstate/entity_pb.js";

/** A method whose messages are known. */
export type Method<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly input: I;
  readonly output: O;
};

/**
 * A command for one of this function's services, whose reply has the type `O`. The proxy runs it: as a forward
 * ({@link forward}) or as a side effect (`ctx.effect`). Make it with {@link call}.
 */
export class Call<O extends DescMessage = DescMessage> {
  /** @internal */
  constructor(
    /** Full name of the service. */
    readonly service: string,
    /** Simple name of the method. */
    readonly command: string,
    /** The encoded message. */
    readonly payload: Any,
    /** What goes with the command. */
    readonly metadata: Metadata,
    /** The type of the reply. */
    readonly output: O,
  ) {}

  /** @internal */
  toForward(): WireForward {
    const { service, command, payload, metadata } = this;
    return withMetadata(create(ForwardSchema, { serviceName: service, commandName: command, payload }), metadata);
  }

  /** @internal */
  toEffect(synchronous: boolean): SideEffect {
    const { service, command, payload, metadata } = this;
    const effect = create(SideEffectSchema, { serviceName: service, commandName: command, payload, synchronous });
    return withMetadata(effect, metadata);
  }
}

function withMetadata<M extends WireForward | SideEffect>(message: M, metadata: Metadata): M {
  const wire = metadata.toWire();
  if (wire !== undefined) message.metadata = wire;
  return message;
}

/** A command: `call(Hot.method.itemAdded, { productId })`. The message is encoded at once. */
export function call<I extends DescMessage, O extends DescMessage>(
  method: Method<I, O>,
  message: MessageInitShape<I>,
  options: { readonly metadata?: Metadata } = {},
): Call<O> {
  const value = toBinary(method.input, create(method.input, message));
  const payload = create(AnySchema, { typeUrl: typeUrlOf(method.input), value });
  return new Call(method.parent.typeName, method.name, payload, options.metadata ?? Metadata.empty, method.output);
}

/** @internal */
export function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}
