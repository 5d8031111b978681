// Calls of one action.

import { type DescMessage, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";

import { respond } from "../action/machine.js";
import type { Action } from "../action/registration.js";
import { type Method, typeUrlOf } from "../call.js";
import { type ActionCommand, ActionCommandSchema, type ActionResponse } from "../protos/cloudstate/action_pb.js";
import { type CallOptions, SILENT_LOG } from "./common.js";
import { Outcome, UnexpectedOutcome } from "./outcome.js";

/** An action under test. */
export class ActionTest {
  readonly #action: Action;

  /** An action to call. */
  constructor(action: Action) {
    this.#action = action;
  }

  /** Calls a method with one message, and returns the one outcome. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<Outcome<O>> {
    return only(await this.callStreamedOut(method, message, options));
  }

  /** Calls a method with one message, and returns all that it streams. */
  async callStreamedOut<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<Outcome<O>[]> {
    const command = opening(method, options);
    command.payload = pack(method, message);
    return this.#run(method, [command]);
  }

  /** Streams messages to a method, and returns the one outcome. */
  async callStreamedIn<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    messages: readonly MessageInitShape<I>[],
    options: CallOptions = {},
  ): Promise<Outcome<O>> {
    return only(await this.callStreamed(method, messages, options));
  }

  /** Streams messages to a method, and returns all that it streams. */
  async callStreamed<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    messages: readonly MessageInitShape<I>[],
    options: CallOptions = {},
  ): Promise<Outcome<O>[]> {
    const payloads = messages.map((message) => create(ActionCommandSchema, { payload: pack(method, message) }));
    return this.#run(method, [opening(method, options), ...payloads]);
  }

  async #run<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    commands: readonly ActionCommand[],
  ): Promise<Outcome<O>[]> {
    const services = new Map([[this.#action.service.typeName, this.#action]]);
    const outcomes: Outcome<O>[] = [];
    for await (const response of respond(services, stream(commands), new AbortController().signal, SILENT_LOG)) {
      outcomes.push(outcome(method.output, response));
    }
    return outcomes;
  }
}

async function* stream(commands: readonly ActionCommand[]): AsyncGenerator<ActionCommand> {
  yield* commands;
}

function opening(method: Method<DescMessage, DescMessage>, options: CallOptions): ActionCommand {
  const command = create(ActionCommandSchema, { serviceName: method.parent.typeName, name: method.name });
  const metadata = options.metadata?.toWire();
  if (metadata !== undefined) command.metadata = metadata;
  return command;
}

function pack<I extends DescMessage>(method: Method<I, DescMessage>, message: MessageInitShape<I>): Any {
  const value = toBinary(method.input, create(method.input, message));
  return create(AnySchema, { typeUrl: typeUrlOf(method.input), value });
}

function only<O extends DescMessage>(outcomes: readonly Outcome<O>[]): Outcome<O> {
  const [outcome] = outcomes;
  if (outcome === undefined || outcomes.length > 1) {
    throw new UnexpectedOutcome(`expected one response, but got ${String(outcomes.length)}`);
  }
  return outcome;
}

function outcome<O extends DescMessage>(output: O, { response, sideEffects: effects }: ActionResponse): Outcome<O> {
  return new Outcome({ output, told: response, effects });
}
