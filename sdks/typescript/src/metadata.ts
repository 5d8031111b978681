// Metadata: what travels beside a message.

import { create } from "@bufbuild/protobuf";

import { type Metadata as Wire, MetadataEntrySchema, MetadataSchema } from "./protos/cloudstate/entity_pb.js";

/** Text or bytes under a key. */
export type MetadataValue = string | Uint8Array;

/**
 * An ordered multi-map. Keys are looked up without regard to case, and kept as they were written. Immutable: `with` and
 * `without` make another.
 */
export class Metadata implements Iterable<readonly [string, MetadataValue]> {
  /** Nothing. */
  static readonly empty = new Metadata([]);

  readonly #entries: readonly (readonly [string, MetadataValue])[];

  private constructor(entries: readonly (readonly [string, MetadataValue])[]) {
    this.#entries = entries;
  }

  /** Metadata with these entries, in order. */
  static of(entries: Iterable<readonly [string, MetadataValue]> | Readonly<Record<string, MetadataValue>>): Metadata {
    return new Metadata(Symbol.iterator in entries ? [...entries] : Object.entries(entries));
  }

  /** @internal */
  static from(wire: Wire | undefined): Metadata {
    if (wire === undefined || wire.entries.length === 0) return Metadata.empty;
    return new Metadata(wire.entries.map(({ key, value }) => [key, value.value ?? ""]));
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** The first text under a key. */
  get(key: string): string | undefined {
    return this.getAll(key).find((value) => typeof value === "string");
  }

  /** The first bytes under a key. */
  getBytes(key: string): Uint8Array | undefined {
    return this.getAll(key).find((value) => typeof value !== "string");
  }

  /** Everything under a key, in order. */
  getAll(key: string): MetadataValue[] {
    const sought = key.toLowerCase();
    return this.#entries.filter(([other]) => other.toLowerCase() === sought).map(([, value]) => value);
  }

  /** This with one more entry, after those that there are. */
  with(key: string, value: MetadataValue): Metadata {
    return new Metadata([...this.#entries, [key, value]]);
  }

  /** This without any entry under a key. */
  without(key: string): Metadata {
    const dropped = key.toLowerCase();
    return new Metadata(this.#entries.filter(([other]) => other.toLowerCase() !== dropped));
  }

  [Symbol.iterator](): Iterator<readonly [string, MetadataValue]> {
    return this.#entries[Symbol.iterator]();
  }

  /**
   * Empty metadata is left out of messages.
   *
   * @internal
   */
  toWire(): Wire | undefined {
    if (this.#entries.length === 0) return undefined;
    const entries = this.#entries.map(([key, value]) =>
      create(MetadataEntrySchema, {
        key,
        value: typeof value === "string" ? { case: "stringValue", value } : { case: "bytesValue", value },
      }),
    );
    return create(MetadataSchema, { entries });
  }

  /** The attributes of the CloudEvent that the message came as; `undefined` unless the four required ones are there. */
  cloudEvent(): CloudEvent | undefined {
    const [id, source, specversion, type] = ["ce-id", "ce-source", "ce-specversion", "ce-type"].map((key) =>
      this.get(key),
    );
    if (id === undefined || source === undefined || specversion === undefined || type === undefined) return undefined;
    return {
      id,
      source,
      specversion,
      type,
      datacontenttype: this.get("Content-Type"),
      dataschema: this.get("ce-dataschema"),
      subject: this.get("ce-subject"),
      time: this.get("ce-time"),
    };
  }
}

/** What a CloudEvent says beside its data; see the specification of CloudEvents 1.0. */
export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly specversion: string;
  readonly type: string;
  readonly datacontenttype: string | undefined;
  readonly dataschema: string | undefined;
  /** Of events from an event log: the entity id. */
  readonly subject: string | undefined;
  /** As RFC 3339 writes it. */
  readonly time: string | undefined;
}
