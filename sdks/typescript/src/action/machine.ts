// The protocol of one call of an action: messages in, responses out. No transport.

import { type DescMethod, create, fromBinary } from "@bufbuild/protobuf";

import { Failure, type Settled, settle } from "../answer.js";
import { Turn } from "../context.js";
import { type Log, textOf, traceOf } from "../log.js";
import { Metadata } from "../metadata.js";
import { type ActionCommand, type ActionResponse, ActionResponseSchema } from "../protos/cloudstate/action_pb.js";
import { type SideEffect, FailureSchema } from "../protos/cloudstate/entity_pb.js";
import type { Bound } from "../service.js";
import type { Action, ActionContext, Commands } from "./registration.js";

/** @internal */
export type ActionServices = ReadonlyMap<string, Action>;

const EMPTY_STREAM =
  "Cloudstate protocol failure: expected command message with service name and command name, but got empty stream";

/**
 * Starts the call that the first of the messages names, and answers it. Never throws; when the caller has gone, it just
 * ends. A call with one response yields one.
 *
 * @internal
 */
export async function* respond(
  services: ActionServices,
  messages: AsyncIterable<ActionCommand>,
  signal: AbortSignal,
  log: Log,
): AsyncGenerator<ActionResponse> {
  const input = messages[Symbol.asyncIterator]();
  let first: IteratorResult<ActionCommand>;
  try {
    first = await input.next();
  } catch {
    return; // The caller has gone.
  }
  if (first.done === true) {
    yield failed(EMPTY_STREAM);
    return;
  }
  const { serviceName, name } = first.value;
  const service = services.get(serviceName);
  const bound = service?.handlers.get(name);
  if (service === undefined) {
    yield failed(`Unknown service: ${serviceName}`);
  } else if (bound === undefined) {
    yield failed(`Unknown command: ${name} of service ${serviceName}`);
  } else {
    yield* guarded(new Call(bound, first.value, input, signal), log);
  }
}

/** Turns what a handler throws into the call's last response. */
async function* guarded(call: Call, log: Log): AsyncGenerator<ActionResponse> {
  try {
    yield* call.run();
    // A handler may catch what its input threw, but then its answers are not worth more.
    if (call.fault !== undefined) yield failed(call.fault.message);
  } catch (error) {
    if (call.signal.aborted) return;
    if (call.fault !== undefined) {
      yield failed(call.fault.message);
    } else if (error instanceof Failure) {
      yield failed(error.message, call.takeEffects());
    } else {
      log.error(`${call.what} failed: ${traceOf(error)}`);
      yield failed(`Error handling command ${call.command} of service ${call.service}`);
    }
  } finally {
    call.close();
  }
}

function failed(description: string, sideEffects: SideEffect[] = []): ActionResponse {
  const failure = create(FailureSchema, { description });
  return create(ActionResponseSchema, { response: { case: "failure", value: failure }, sideEffects });
}

/** The caller broke the protocol. */
class Fault extends Error {}

class Call extends Turn implements ActionContext {
  readonly service: string;
  readonly command: string;
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
  fault: Fault | undefined;
  readonly #method: DescMethod;
  readonly #handler: Bound["handler"];
  readonly #first: ActionCommand;
  readonly #input: AsyncIterator<ActionCommand>;

  constructor(bound: Bound, first: ActionCommand, input: AsyncIterator<ActionCommand>, signal: AbortSignal) {
    super(`command ${first.name} of ${first.serviceName}`);
    this.service = first.serviceName;
    this.command = first.name;
    this.metadata = Metadata.from(first.metadata);
    this.signal = signal;
    this.#method = bound.method;
    this.#handler = bound.handler;
    this.#first = first;
    this.#input = input;
  }

  async *run(): AsyncGenerator<ActionResponse> {
    const kind = this.#method.methodKind;
    const streamsIn = kind === "client_streaming" || kind === "bidi_streaming";
    const handled = this.#handler(streamsIn ? this.#messages() : this.#decode(this.#first), this);
    if (kind === "unary" || kind === "client_streaming") {
      yield this.#response(await handled);
      return;
    }
    for await (const answer of handled as AsyncIterable<unknown>) {
      yield this.#response(answer);
    }
    if (this.failed !== undefined) throw this.failed;
    const sideEffects = this.takeEffects();
    if (sideEffects.length > 0) yield create(ActionResponseSchema, { sideEffects });
  }

  #response(returned: unknown): ActionResponse {
    if (this.fault !== undefined) throw this.fault;
    if (this.failed !== undefined) throw this.failed;
    const settled = settle(this.#method.output, returned);
    if (settled === undefined)
      throw new Error(`the handler of ${this.what} returned nothing; noReply() says that on purpose`);
    return encoded(settled, this.takeEffects());
  }

  #decode(command: ActionCommand): unknown {
    if (command.payload === undefined) throw this.#broken("Protocol error: No command payload");
    try {
      return fromBinary(this.#method.input, command.payload.value);
    } catch (error) {
      throw this.#broken(`Protocol error: malformed command message: ${textOf(error)}`);
    }
  }

  #broken(what: string): Fault {
    this.fault = new Fault(what);
    return this.fault;
  }

  #messages(): Commands<unknown> {
    const [first, input] = [this.#first, this.#input];
    const decode = (command: ActionCommand): unknown => this.#decode(command);
    let metadata = Metadata.empty;
    async function* decoded(): AsyncGenerator {
      // The first message has a payload only if it comes from elsewhere than a gateway.
      if (first.payload !== undefined) {
        metadata = Metadata.from(first.metadata);
        yield decode(first);
      }
      for (let next = await input.next(); next.done !== true; next = await input.next()) {
        metadata = Metadata.from(next.value.metadata);
        yield decode(next.value);
      }
    }
    const messages = decoded();
    return {
      [Symbol.asyncIterator]: () => messages,
      get metadata() {
        return metadata;
      },
    };
  }
}

function encoded(settled: Settled, sideEffects: SideEffect[]): ActionResponse {
  if (settled.kind === "failure") return failed(settled.description, sideEffects);
  const response = create(ActionResponseSchema, { sideEffects });
  // Never a failure here, whose field differs between the two messages.
  if (
    settled.kind === "action" &&
    (settled.action.action.case === "reply" || settled.action.action.case === "forward")
  ) {
    response.response = settled.action.action;
  }
  return response;
}
