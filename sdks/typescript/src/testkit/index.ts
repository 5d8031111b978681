// Drives the entities of a user function in unit tests, without network.
//
//   test ─▶ EventSourcedTest │ ValueTest │ CrdtTest │ ActionTest ─protocol messages─▶ the SDK's machine ─▶ your handlers
//              └─ stores what the proxy would store, restarts what the proxy would restart
//
// The messages are those of the protocol, so codecs, snapshots, rollback and restarts are tested as they will run.
//
// Absent: entity keys. A test drives one entity, whatever ids its commands carry; which entity a command goes to is the
// proxy's business.

export { ActionTest } from "./action.js";
export { type CallOptions, ENTITY_ID, type TestOptions } from "./common.js";
export { CrdtOutcome, CrdtTest, type OpenStream } from "./crdt.js";
export { EventSourcedTest } from "./event-sourced.js";
export { Outcome, type Sent, type SentEffect, UnexpectedOutcome } from "./outcome.js";
export { ValueTest } from "./value.js";
