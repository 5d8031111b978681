// The protocol of one CRDT entity in memory: message in, messages out. No transport, no clock.

import { create } from "@bufbuild/protobuf";

import { type Log, textOf, traceOf } from "../log.js";
import {
  type CrdtInit,
  type CrdtStreamIn,
  type CrdtStreamOut,
  CrdtStreamOutSchema,
} from "../protos/cloudstate/crdt_pb.js";
import { FailureSchema } from "../protos/cloudstate/entity_pb.js";
import { Broken, type Machine, SILENT, type Step, end } from "../step.js";
import { Live } from "./live.js";
import type { CrdtEntity } from "./registration.js";

/** @internal */
export type CrdtServices = ReadonlyMap<string, CrdtEntity>;

/** One stream of the protocol service: one activation of one entity. @internal */
export class CrdtMachine implements Machine<CrdtStreamIn, CrdtStreamOut> {
  readonly #services: CrdtServices;
  readonly #log: Log;
  #entity: Live | undefined;

  constructor(services: CrdtServices, log: Log) {
    this.#services = services;
    this.#log = log;
  }

  async receive(message: CrdtStreamIn): Promise<Step<CrdtStreamOut>> {
    try {
      return await this.#accept(message.message);
    } catch (error) {
      return this.#broken(error, message.message.case === "command" ? message.message.value.id : 0n);
    }
  }

  async #accept(message: CrdtStreamIn["message"]): Promise<Step<CrdtStreamOut>> {
    if (message.case === undefined) throw new Broken(0n, "Protocol error: Received empty/unknown message");
    if (message.case === "init") {
      if (this.#entity !== undefined) throw new Broken(0n, "Protocol error: Entity already inited");
      this.#entity = this.#init(message.value);
      return SILENT;
    }
    if (this.#entity === undefined) throw new Broken(0n, "Protocol error: Expected Init message");
    switch (message.case) {
      case "delta":
        return { send: await this.#entity.replicated(message.value), end: false };
      case "delete":
        this.#entity.deleted();
        return SILENT;
      case "command":
        return { send: await this.#entity.run(message.value), end: false };
      case "streamCancelled":
        return { send: await this.#entity.cancelled(message.value), end: false };
    }
  }

  #init(init: CrdtInit): Live {
    const registration = this.#services.get(init.serviceName);
    if (registration === undefined) throw new Broken(0n, `Protocol error: Service not found: ${init.serviceName}`);
    return new Live(registration, init.entityId, init.delta, this.#log);
  }

  /** The entity is dropped, so nobody sees what was left half done. */
  #broken(error: unknown, command: bigint): Step<CrdtStreamOut> {
    const entity = this.#entity?.name ?? "a CRDT entity";
    this.#entity = undefined;
    this.#log.error(`${entity} failed at command ${command.toString()}; its activation ends: ${traceOf(error)}`);
    const broken = error instanceof Broken ? error : new Broken(command, `Unexpected failure: ${textOf(error)}`);
    const failure = create(FailureSchema, { commandId: broken.commandId, description: broken.message });
    return end(create(CrdtStreamOutSchema, { message: { case: "failure", value: failure } }));
  }
}
