// What the machine of a stream does with one message.

/** @internal */
export interface Step<Out> {
  /** What to send, in order. */
  readonly send: readonly Out[];
  /** Whether the stream ends after that. */
  readonly end: boolean;
}

/** @internal */
export const SILENT: Step<never> = { send: [], end: false };

/** @internal */
export function send<Out>(...messages: Out[]): Step<Out> {
  return { send: messages, end: false };
}

/** @internal */
export function end<Out>(message: Out): Step<Out> {
  return { send: [message], end: true };
}

/**
 * The protocol of one activation: message in, messages out. No transport, no clock. The next message waits until the
 * last one is done.
 *
 * @internal
 */
export interface Machine<In, Out> {
  receive(message: In): Promise<Step<Out>>;
}

/** Why an activation cannot go on. @internal */
export class Broken extends Error {
  constructor(
    readonly commandId: bigint,
    description: string,
    options?: ErrorOptions,
  ) {
    super(description, options);
  }
}
