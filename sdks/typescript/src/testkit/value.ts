// One value entity and its stored value.

import { type DescMessage, type MessageInitShape, create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import type { Method } from "../call.js";
import { type Payload, type PayloadInit, type PayloadValue, payloadType } from "../payload.js";
import {
  ValueEntityInitSchema,
  ValueEntityInitStateSchema,
  type ValueEntityReply,
  type ValueEntityStreamIn,
  ValueEntityStreamInSchema,
} from "../protos/cloudstate/value_entity_pb.js";
import { ValueMachine } from "../value/machine.js";
import type { Value } from "../value/registration.js";
import { type CallOptions, ENTITY_ID, SILENT_LOG, type TestOptions, command } from "./common.js";
import { Outcome } from "./outcome.js";

/** A value entity under test, with what the proxy would have stored. */
export class ValueTest {
  readonly #entity: Value;
  readonly #entityId: string;
  #value: Any | undefined;
  /** `undefined` until the next command activates the entity. */
  #machine: ValueMachine | undefined;
  #lastCommand = 0n;

  /** A new entity, without a value. */
  constructor(entity: Value, options: TestOptions = {}) {
    this.#entity = entity;
    this.#entityId = options.entityId ?? ENTITY_ID;
  }

  /** Sets the value that was stored before the test. */
  withValue<P extends Payload>(type: P, value: PayloadInit<P>): this {
    this.#value = payloadType(type).encode(value);
    this.restart();
    return this;
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
    const messages = this.#machine === undefined ? [this.#init()] : [];
    const machine = (this.#machine ??= new ValueMachine(
      new Map([[this.#entity.service.typeName, this.#entity]]),
      SILENT_LOG,
    ));
    messages.push(create(ValueEntityStreamInSchema, { message: { case: "command", value } }));
    for (const message of messages) {
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

  /** Takes the entity out of memory, as passivation or a crash does; the next command loads its value. */
  restart(): void {
    this.#machine = undefined;
  }

  /** The stored value. */
  value<P extends Payload>(type: P): PayloadValue<P> | undefined {
    return this.#value && payloadType(type).decode(this.#value);
  }

  #init(): ValueEntityStreamIn {
    const state = create(ValueEntityInitStateSchema);
    if (this.#value !== undefined) state.value = this.#value;
    const serviceName = this.#entity.service.typeName;
    const value = create(ValueEntityInitSchema, { serviceName, entityId: this.#entityId, state });
    return create(ValueEntityStreamInSchema, { message: { case: "init", value } });
  }

  /** Does what the proxy does with a reply. */
  #store<O extends DescMessage>(output: O, reply: ValueEntityReply): Outcome<O> {
    const told = reply.clientAction?.action ?? { case: undefined };
    const change = reply.stateAction?.action;
    const updated = change?.case === "update" ? change.value.value : undefined;
    if (change?.case !== undefined) this.#value = updated;
    return new Outcome({ output, told, effects: reply.sideEffects, updated, deleted: change?.case === "delete" });
  }
}
