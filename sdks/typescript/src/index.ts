// Write Cloudstate user functions in TypeScript.
//
// A user function is a process that holds no database connection: the proxy beside it keeps the state durable, hands the
// function state in, and takes events, values and replies out.
//
//   .proto ──cloudstate-compile──▶ schemas, services
//                                        │ you write a handler for each method
//                                        ▼
//   proxy ──HTTP/2──▶ server ──▶ event sourced │ value │ CRDT │ action ──▶ your handlers
//
// Absent: TLS (the proxy runs beside the function).

export {
  type Answer,
  Failure,
  type Forward,
  type MaybePromise,
  type NoReply,
  type Reply,
  forward,
  noReply,
  reply,
} from "./answer.js";
export { type Call, type Method, call } from "./call.js";
export type { CommandContext, EffectOptions, Effects } from "./context.js";
export { type Log, logToStderr } from "./log.js";
export { type CloudEvent, Metadata, type MetadataValue } from "./metadata.js";
export {
  type Payload,
  PayloadError,
  type PayloadInit,
  type PayloadType,
  type PayloadValue,
  json,
  message,
  primitive,
  raw,
} from "./payload.js";
export { DeclarationError, type EntityOptions, type Service } from "./service.js";

export {
  type Action,
  type ActionAnswer,
  type ActionContext,
  type ActionHandler,
  type ActionHandlers,
  type Commands,
  action,
} from "./action/registration.js";
export { GCounter, PNCounter } from "./crdt/counters.js";
export { Crdt } from "./crdt/crdt.js";
export { ORMap } from "./crdt/map.js";
export {
  type CancelContext,
  type ChangeAnswer,
  type ChangeContext,
  type Changeable,
  type CrdtCommands,
  type CrdtContext,
  type CrdtEntity,
  type CrdtOptions,
  type StreamedCrdtContext,
  type WriteConsistency,
  crdt,
} from "./crdt/registration.js";
export { GSet, ORSet } from "./crdt/sets.js";
export { type Clock, Flag, LWWRegister, Vote } from "./crdt/simple.js";
export {
  DEFAULT_SNAPSHOT_EVERY,
  type EventHandler,
  type EventSourced,
  type EventSourcedCommands,
  type EventSourcedContext,
  type EventSourcedOptions,
  type On,
  type SnapshotOptions,
  eventSourced,
} from "./event-sourced/registration.js";
export { type Registration, UserFunction, type UserFunctionOptions } from "./function.js";
export { ServeError, type Server, type ServerOptions } from "./server/options.js";
export { type Value, type ValueCommands, type ValueContext, type ValueOptions, value } from "./value/registration.js";
