// Serves a user function over clear-text HTTP/2.
//
//   call of the proxy ─▶ machine of the entity, one message after the other ─▶ answers
//                    └─▶ action

import { Server as GrpcServer, type ServerDuplexStream, ServerCredentials } from "@grpc/grpc-js";

import { CrdtMachine } from "../crdt/machine.js";
import { EventSourcedMachine } from "../event-sourced/machine.js";
import type { UserFunction } from "../function.js";
import { type Log, logToStderr, textOf } from "../log.js";
import { ActionProtocol } from "../protos/cloudstate/action_pb.js";
import { Crdt } from "../protos/cloudstate/crdt_pb.js";
import { EntityDiscovery } from "../protos/cloudstate/entity_pb.js";
import { EventSourced } from "../protos/cloudstate/event_sourced_pb.js";
import { ValueEntity } from "../protos/cloudstate/value_entity_pb.js";
import type { Machine } from "../step.js";
import { ValueMachine } from "../value/machine.js";
import { actionHandlers } from "./actions.js";
import { Activity, atMost } from "./activity.js";
import { definition } from "./definition.js";
import { discoveryHandlers } from "./discovery.js";
import { drive } from "./drive.js";
import { ServeError, type Server, type ServerOptions } from "./options.js";
import { type Place, listenOn, place } from "./place.js";

const DEFAULT_MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const DEFAULT_DRAIN_TIMEOUT = 10_000;

/** @internal */
export async function serve(served: UserFunction, options: ServerOptions): Promise<Server> {
  const log = options.log ?? logToStderr;
  const where = place(options, process.env);
  const activity = new Activity();
  const server = grpcServer(served, options, activity, log);
  const port = await listen(server, where);
  const address = where.kind === "socket" ? where.path : `${where.host}:${String(port)}`;
  log.info(`serving the user function ${served.name} on ${address}`);
  const stop = async (): Promise<void> => {
    const drained = performance.now() + (options.drainTimeout ?? DEFAULT_DRAIN_TIMEOUT);
    const closed = new Promise<void>((resolve) => {
      server.tryShutdown(() => {
        resolve();
      });
    });
    await activity.idle(Math.max(0, drained - performance.now()));
    activity.close();
    await atMost(Math.max(0, drained - performance.now()), closed);
    server.forceShutdown();
    log.info(`stopped the user function ${served.name}`);
  };
  return { address, port, stop };
}

async function listen(server: GrpcServer, where: Place): Promise<number> {
  return new Promise((resolve, reject) => {
    const { target, text } = listenOn(where);
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) {
        resolve(where.kind === "socket" ? 0 : port);
      } else {
        reject(new ServeError(`cannot listen on ${text}: ${textOf(error)}`, { cause: error }));
      }
    });
  });
}

function grpcServer(served: UserFunction, options: ServerOptions, activity: Activity, log: Log): GrpcServer {
  const server = new GrpcServer({
    "grpc.max_receive_message_length": options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    // The proxy says what it takes.
    "grpc.max_send_message_length": -1,
    // Each active entity is a stream.
    "grpc.max_concurrent_streams": 1_000_000,
  });
  const { spec, eventSourced, value, crdt, action } = served.declaration;
  const entities =
    <In, Out>(machine: () => Machine<In, Out>) =>
    (call: ServerDuplexStream<In, Out>): void => {
      drive(call, machine(), activity, log);
    };
  server.addService(definition(EntityDiscovery), discoveryHandlers(spec, log));
  server.addService(definition(EventSourced), { handle: entities(() => new EventSourcedMachine(eventSourced, log)) });
  server.addService(definition(ValueEntity), { handle: entities(() => new ValueMachine(value, log)) });
  server.addService(definition(Crdt), { handle: entities(() => new CrdtMachine(crdt, log)) });
  server.addService(definition(ActionProtocol), actionHandlers(action, activity, log));
  return server;
}
