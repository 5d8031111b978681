// Calls of actions.

import type { EventEmitter } from "node:events";

import { create } from "@bufbuild/protobuf";
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedHandleCall,
  sendUnaryData,
} from "@grpc/grpc-js";

import { type ActionServices, respond } from "../action/machine.js";
import type { Log } from "../log.js";
import { type ActionCommand, type ActionResponse, ActionResponseSchema } from "../protos/cloudstate/action_pb.js";
import type { Activity } from "./activity.js";
import { send } from "./send.js";

type Call =
  ServerUnaryCall<ActionCommand, ActionResponse> | ServerReadableStream<ActionCommand, ActionResponse> | Streaming;
type Streaming =
  ServerDuplexStream<ActionCommand, ActionResponse> | ServerWritableStream<ActionCommand, ActionResponse>;

/** @internal */
export function actionHandlers(
  services: ActionServices,
  activity: Activity,
  log: Log,
): Record<string, UntypedHandleCall> {
  const responses = (call: Call, messages: AsyncIterable<ActionCommand>): AsyncGenerator<ActionResponse> =>
    respond(services, messages, gone(call), log);
  const one = (call: Call, messages: AsyncIterable<ActionCommand>, answer: sendUnaryData<ActionResponse>): void => {
    const answered = activity.during(
      async () => (await responses(call, messages).next()).value as ActionResponse | void,
    );
    // It never throws. A caller that has gone gets nothing, whatever is answered.
    void answered.then((response) => {
      answer(null, response ?? create(ActionResponseSchema));
    });
  };
  const many = (call: Streaming, messages: AsyncIterable<ActionCommand>): void => {
    const answered = activity.during(async () => {
      for await (const response of responses(call, messages)) {
        await send(call, response);
        if (call.cancelled) break;
      }
    });
    void answered.finally(() => {
      call.end();
    });
  };
  return {
    handleUnary: (call: ServerUnaryCall<ActionCommand, ActionResponse>, answer: sendUnaryData<ActionResponse>) => {
      one(call, only(call.request), answer);
    },
    handleStreamedIn: (
      call: ServerReadableStream<ActionCommand, ActionResponse>,
      answer: sendUnaryData<ActionResponse>,
    ) => {
      one(call, incoming(call), answer);
    },
    handleStreamedOut: (call: ServerWritableStream<ActionCommand, ActionResponse>) => {
      many(call, only(call.request));
    },
    handleStreamed: (call: ServerDuplexStream<ActionCommand, ActionResponse>) => {
      many(call, incoming(call));
    },
  } as Record<string, UntypedHandleCall>;
}

async function* only(command: ActionCommand): AsyncGenerator<ActionCommand> {
  yield command;
}

/** Reading to the end must not destroy the stream, whose other half is still needed. */
function incoming(
  call: ServerReadableStream<ActionCommand, ActionResponse> | ServerDuplexStream<ActionCommand, ActionResponse>,
): AsyncIterable<ActionCommand> {
  return call.iterator({ destroyOnReturn: false }) as AsyncIterable<ActionCommand>;
}

/** Aborted when the caller has gone. */
function gone(call: EventEmitter): AbortSignal {
  const controller = new AbortController();
  call.on("cancelled", () => {
    controller.abort(new Error("the caller has gone"));
  });
  return controller.signal;
}
