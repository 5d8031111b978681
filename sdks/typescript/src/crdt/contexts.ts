// What the handlers and callbacks of CRDT entities work with.

import { CommandTurn, Turn } from "../context.js";
import type { Command } from "../protos/cloudstate/entity_pb.js";
import type { Crdt } from "./crdt.js";
import type { Live } from "./live.js";
import type { CancelContext, ChangeContext, StreamedCrdtContext, WriteConsistency } from "./registration.js";

/** What a handler wants to happen to the state. @internal */
export interface Wishes {
  readonly writeConsistency: WriteConsistency;
  readonly isDeleted: boolean;
}

/** @internal */
export class Context extends CommandTurn implements StreamedCrdtContext<Crdt, never>, Wishes {
  readonly streamed: boolean;
  writeConsistency: WriteConsistency = "local";
  isDeleted = false;
  onChangeCallback: ((ctx: ChangeContext<Crdt>) => unknown) | undefined;
  onCancelCallback: ((ctx: CancelContext<Crdt>) => unknown) | undefined;
  readonly #entity: Live;

  constructor(entity: Live, command: Command) {
    super(entity.registration.service.typeName, command);
    this.streamed = command.streamed;
    this.#entity = entity;
  }

  get state(): Crdt {
    this.check();
    return this.#entity.state;
  }

  delete(): void {
    this.check();
    this.isDeleted = true;
  }

  onChange(callback: (ctx: ChangeContext<Crdt>) => unknown): void {
    this.check();
    this.onChangeCallback = callback;
  }

  onCancel(callback: (ctx: CancelContext<Crdt>) => unknown): void {
    this.check();
    this.onCancelCallback = callback;
  }
}

/** @internal */
export class ChangeTurn extends Turn implements ChangeContext<Crdt> {
  isEnd = false;
  readonly #entity: Live;

  constructor(entity: Live, what: string) {
    super(what);
    this.#entity = entity;
  }

  get entityId(): string {
    return this.#entity.entityId;
  }

  get state(): Crdt {
    this.check();
    return this.#entity.state;
  }

  end(): void {
    this.check();
    this.isEnd = true;
  }
}

/** @internal */
export class CancelTurn extends Turn implements CancelContext<Crdt>, Wishes {
  writeConsistency: WriteConsistency = "local";
  isDeleted = false;
  readonly #entity: Live;

  constructor(entity: Live, what: string) {
    super(what);
    this.#entity = entity;
  }

  get entityId(): string {
    return this.#entity.entityId;
  }

  get state(): Crdt {
    this.check();
    return this.#entity.state;
  }

  delete(): void {
    this.check();
    this.isDeleted = true;
  }
}
