// One event sourced entity and its event log.

import { type DescMessage, type MessageInitShape, create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import type { Method } from "../call.js";
import { EventSourcedMachine } from "../event-sourced/machine.js";
import type { EventSourced } from "../event-sourced/registration.js";
import { type Payload, type PayloadInit, type PayloadValue, payloadType } from "../payload.js";
import {
  type EventSourcedReply,
  type EventSourcedSnapshot,
  EventSourcedSnapshotSchema,
  type EventSourcedStreamIn,
  EventSourcedStreamInSchema,
} from "../protos/cloudstate/event_sourced_pb.js";
import { type CallOptions, ENTITY_ID, SILENT_LOG, type TestOptions, command } from "./common.js";
import { Outcome, unpackAll } from "./outcome.js";

/** An event sourced entity under test, with what the proxy would have stored. */
export class EventSourcedTest {
  readonly #entity: EventSourced;
  readonly #entityId: string;
  readonly #events: Any[] = [];
  #snapshot: EventSourcedSnapshot | undefined;
  /** `undefined` until the next command activates the entity. */
  #machine: EventSourcedMachine | undefined;
  #lastCommand = 0n;

  /** A new entity, without events. */
  constructor(entity: EventSourced, options: TestOptions = {}) {
    this.#entity = entity;
    this.#entityId = options.entityId ?? ENTITY_ID;
  }

  /** Adds an event that was stored before the test. */
  withEvent<P extends Payload>(type: P, event: PayloadInit<P>): this {
    this.#events.push(payloadType(type).encode(event));
    this.restart();
    return this;
  }

  /** Adds a snapshot that was stored before the test, and stands for all events so far. */
  withSnapshot<P extends Payload>(type: P, snapshot: PayloadInit<P>): this {
    this.#keep(payloadType(type).encode(snapshot));
    this.restart();
    return this;
  }

  #keep(snapshot: Any): void {
    this.#snapshot = create(EventSourcedSnapshotSchema, { snapshotSequence: BigInt(this.#events.length), snapshot });
  }

  /** Sends a command, loading the entity first if it is not in memory, and stores what comes out. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    message: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<Outcome<O>> {
    this.#lastCommand += 1n;
    const how = { ...options, id: this.#lastCommand, entityId: this.#entityId };
    const value = command(this.#entity.service, method, message, how);
    const messages = this.#machine === undefined ? this.#activation() : [];
    const machine = (this.#machine ??= new EventSourcedMachine(
      new Map([[this.#entity.service.typeName, this.#entity]]),
      SILENT_LOG,
    ));
    for (const message of [...messages, streamIn({ case: "command", value })]) {
      const { send, end } = await machine.receive(message);
      const out = send[0]?.message;
      if (out?.case === "reply") return this.#store(method.output, out.value);
      if (end) {
        this.restart();
        const told = { case: "crash", value: out?.value?.description ?? "" } as const;
        return new Outcome({ output: method.output, told, restarted: true });
      }
    }
    throw new Error("the command was not answered");
  }

  /** Takes the entity out of memory, as passivation or a crash does; the next command loads it from its events. */
  restart(): void {
    this.#machine = undefined;
  }

  /** All events of one type stored so far, in order. */
  log<P extends Payload>(type: P): PayloadValue<P>[] {
    return unpackAll(type, this.#events);
  }

  /** How many events of all types are stored. */
  get eventCount(): number {
    return this.#events.length;
  }

  /** What loads the entity. */
  #activation(): EventSourcedStreamIn[] {
    const covered = this.#snapshot?.snapshotSequence ?? 0n;
    const init = { serviceName: this.#entity.service.typeName, entityId: this.#entityId };
    const events = this.#events.map((payload, index) => ({ sequence: BigInt(index + 1), payload }));
    return [
      create(EventSourcedStreamInSchema, {
        message: { case: "init", value: this.#snapshot === undefined ? init : { ...init, snapshot: this.#snapshot } },
      }),
      ...events
        .filter(({ sequence }) => sequence > covered)
        .map((value) => create(EventSourcedStreamInSchema, { message: { case: "event", value } })),
    ];
  }

  /** Does what the proxy does with a reply. */
  #store<O extends DescMessage>(output: O, reply: EventSourcedReply): Outcome<O> {
    const told = reply.clientAction?.action ?? { case: undefined };
    if (told.case === "failure" && told.value.restart) {
      this.restart();
      return new Outcome({ output, told, restarted: true });
    }
    this.#events.push(...reply.events);
    if (reply.snapshot !== undefined) this.#keep(reply.snapshot);
    const { events, snapshot, sideEffects: effects } = reply;
    return new Outcome({ output, told, effects, events, snapshot });
  }
}

function streamIn(message: EventSourcedStreamIn["message"]): EventSourcedStreamIn {
  return create(EventSourcedStreamInSchema, { message });
}
