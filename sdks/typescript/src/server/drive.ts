// Drives the machine of an entity with the messages of a stream.

import { type ServerDuplexStream, status } from "@grpc/grpc-js";

import { type Log, traceOf } from "../log.js";
import type { Machine } from "../step.js";
import type { Activity } from "./activity.js";
import { send } from "./send.js";

/**
 * Handles messages one after the other until the proxy closes the stream or the machine ends it. Reads no further while
 * a message is handled, so what waits is held back at the proxy.
 *
 * @internal
 */
export function drive<In, Out>(
  call: ServerDuplexStream<In, Out>,
  machine: Machine<In, Out>,
  activity: Activity,
  log: Log,
): void {
  const run = async (): Promise<void> => {
    // Reading to the end must not destroy the stream, whose other half is still needed.
    for await (const message of call.iterator({ destroyOnReturn: false }) as AsyncIterable<In>) {
      const ended = await activity.during(() => step(call, machine, message));
      if (ended) break;
    }
    call.end();
  };
  let isClosed = false;
  const done = activity.open(() => {
    isClosed = true;
    call.emit("error", { code: status.UNAVAILABLE, details: "the user function is stopping" });
  });
  const failed = (error: unknown): void => {
    // The proxy has gone, or what it sent does not decode; the gRPC library has told it.
    if (!call.cancelled && !isClosed) log.warn(`a stream of the proxy broke: ${traceOf(error)}`);
    call.end();
  };
  void run().catch(failed).finally(done);
}

async function step<In, Out>(
  call: ServerDuplexStream<In, Out>,
  machine: Machine<In, Out>,
  message: In,
): Promise<boolean> {
  const { send: messages, end } = await machine.receive(message);
  for (const message of messages) await send(call, message);
  return end;
}
