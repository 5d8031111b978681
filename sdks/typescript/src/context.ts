// What all command handlers of entities work with.

import { Failure } from "./answer.js";
import type { Call } from "./call.js";
import { Metadata } from "./metadata.js";
import type { Command, SideEffect } from "./protos/cloudstate/entity_pb.js";

/** How a side effect is run. */
export interface EffectOptions {
  /** Whether the client's answer waits for it. Its failure does not fail the command either way. Default: false. */
  readonly synchronous?: boolean;
}

/** What a handler can say beside its answer. Valid only while the handler runs. */
export interface Effects {
  /** Adds a side effect: a command that runs once this one is durable. Those of a command run in order. */
  effect(call: Call, options?: EffectOptions): void;
  /** Declines the command, by throwing a {@link Failure}. Catching that does not undo it. */
  fail(description: string): never;
}

/** What the handler of an entity's command knows about it. Valid only while the handler runs. */
export interface CommandContext extends Effects {
  /** The entity id. */
  readonly entityId: string;
  /** Simple name of the method. */
  readonly command: string;
  /** The caller's metadata. Empty behind a proxy that sends none to entities. */
  readonly metadata: Metadata;
}

/** @internal */
export class Turn implements Effects {
  readonly what: string;
  failed: Failure | undefined;
  #effects: SideEffect[] = [];
  #active = true;

  constructor(what: string) {
    this.what = what;
  }

  effect(call: Call, options: EffectOptions = {}): void {
    this.check();
    this.#effects.push(call.toEffect(options.synchronous ?? false));
  }

  fail(description: string): never {
    this.check();
    this.failed ??= new Failure(description);
    throw this.failed;
  }

  /** Refuses use from what a handler left running. */
  check(): void {
    if (!this.#active) {
      throw new Error(
        `the context of ${this.what} is no longer active: it must not be used after the handler has returned`,
      );
    }
  }

  close(): void {
    this.#active = false;
  }

  takeEffects(): SideEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

/** @internal */
export class CommandTurn extends Turn implements CommandContext {
  readonly entityId: string;
  readonly command: string;
  readonly #wire: Command;
  #metadata: Metadata | undefined;

  constructor(service: string, command: Command) {
    super(`command ${command.name} of ${service} [${command.entityId}]`);
    this.entityId = command.entityId;
    this.command = command.name;
    this.#wire = command;
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.from(this.#wire.metadata);
    return this.#metadata;
  }
}

/**
 * Runs a handler to its end. A thrown failure is as good as a returned one, and one that was caught still counts.
 *
 * @internal
 */
export async function run(turn: Turn, handler: () => unknown): Promise<unknown> {
  try {
    const returned = await handler();
    return turn.failed ?? returned;
  } catch (error) {
    if (error instanceof Failure) return turn.failed ?? error;
    throw error;
  } finally {
    turn.close();
  }
}
