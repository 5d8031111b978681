// Values that are persisted: events, snapshots, values, elements of CRDTs.

import {
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";

import { textOf } from "./log.js";

const MESSAGE_PREFIX = "type.googleapis.com/";
const PRIMITIVE_PREFIX = "p.cloudstate.io/";
const JSON_PREFIX = "json.cloudstate.io/";

/** A value cannot be written or read. */
export class PayloadError extends Error {
  override name = "PayloadError";
}

/** How values of one type become `google.protobuf.Any` and back. `Init` is what may be given to be written. */
export interface PayloadType<T, Init = T> {
  /** The type URL under which values are stored. */
  readonly typeUrl: string;
  /**
   * Encodes.
   *
   * @throws {PayloadError} if the value is not of this type
   */
  encode(value: Init): Any;
  /**
   * Decodes.
   *
   * @throws {PayloadError} if the type is another, or the bytes are malformed
   */
  decode(any: Any): T;
}

/**
 * Anything that can be persisted: the schema of a generated message, {@link primitive} values, {@link json} values,
 * {@link raw} ones.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a bound that every type of values fits
export type Payload = DescMessage | PayloadType<any, any>;

/** What is read as a payload. */
export type PayloadValue<P extends Payload> = P extends DescMessage
  ? MessageShape<P>
  : P extends PayloadType<infer T, never>
    ? T
    : never;

/** What may be written as a payload. */
export type PayloadInit<P extends Payload> = P extends DescMessage
  ? MessageInitShape<P>
  : P extends PayloadType<unknown, infer Init>
    ? Init
    : never;

/** The type behind a schema, or the type itself. */
export function payloadType<P extends Payload>(payload: P): PayloadType<PayloadValue<P>, PayloadInit<P>>;
export function payloadType(payload: Payload): PayloadType<unknown, unknown> {
  return "kind" in payload ? message(payload) : (payload as PayloadType<unknown, unknown>);
}

/** A generated message as a payload. Its schema alone says the same. */
export function message<D extends DescMessage>(schema: D): PayloadType<MessageShape<D>, MessageInitShape<D>> {
  const typeUrl = MESSAGE_PREFIX + schema.typeName;
  return {
    typeUrl,
    encode: (value) => any(typeUrl, toBinary(schema, create(schema, value))),
    decode: (value) => {
      // The host part says who knows the type, not which it is.
      if (nameOf(value.typeUrl) !== schema.typeName) throw otherType(typeUrl, value);
      return malformedIfThrown(typeUrl, () => fromBinary(schema, value.value));
    },
  };
}

/** The name of the type behind a type URL. */
function nameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.indexOf("/") + 1);
}

/**
 * Whether two type URLs name one type: of messages, the host part does not matter.
 *
 * @internal
 */
export function isTypeOf(type: PayloadType<unknown, unknown>, any: Any): boolean {
  if (any.typeUrl === type.typeUrl || type.typeUrl === raw.typeUrl) return true;
  const special = [PRIMITIVE_PREFIX, JSON_PREFIX].some((prefix) => any.typeUrl.startsWith(prefix));
  return !special && type.typeUrl === MESSAGE_PREFIX + nameOf(any.typeUrl);
}

function any(typeUrl: string, value: Uint8Array): Any {
  return create(AnySchema, { typeUrl, value });
}

function otherType(expected: string, actual: Any): PayloadError {
  return new PayloadError(
    `cannot read a persisted value: expected type ${expected}, but it is ${actual.typeUrl || "untyped"}`,
  );
}

function malformedIfThrown<T>(typeUrl: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new PayloadError(`cannot read a persisted value of type ${typeUrl}: ${textOf(error)}`, { cause: error });
  }
}

/** A scalar as protobuf encodes it in field 1. */
interface Scalar<T> {
  readonly wire: WireType;
  isValid(value: unknown): boolean;
  isDefault(value: T): boolean;
  readonly absent: T;
  write(writer: BinaryWriter, value: T): void;
  read(reader: BinaryReader): T;
}

function scalar<T, Init = T>(name: string, normalise: (value: Init) => T, scalar: Scalar<T>): PayloadType<T, Init> {
  const typeUrl = PRIMITIVE_PREFIX + name;
  return {
    typeUrl,
    encode: (given) => {
      if (!scalar.isValid(given)) throw new PayloadError(`${describe(given)} is no ${name}`);
      const value = normalise(given);
      // A default value has no bytes, so that equal values have equal bytes in every language.
      if (scalar.isDefault(value)) return any(typeUrl, new Uint8Array());
      const writer = new BinaryWriter().tag(1, scalar.wire);
      scalar.write(writer, value);
      return any(typeUrl, writer.finish());
    },
    decode: (value) => {
      if (value.typeUrl !== typeUrl) throw otherType(typeUrl, value);
      return malformedIfThrown(typeUrl, () => readField(scalar, value.value));
    },
  };
}

function describe(value: unknown): string {
  if (typeof value === "bigint") return `${value.toString()}n`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function readField<T>(scalar: Scalar<T>, bytes: Uint8Array): T {
  const reader = new BinaryReader(bytes);
  let value = scalar.absent;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field !== 1) {
      reader.skip(wire, field);
    } else if (wire === scalar.wire) {
      value = scalar.read(reader);
    } else {
      throw new Error(`field 1 has wire type ${String(wire)}, expected ${String(scalar.wire)}`);
    }
  }
  return value;
}

const integerBetween = (least: number, most: number) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;

const isInt64 = (value: unknown) =>
  (typeof value === "number" && Number.isSafeInteger(value)) ||
  (typeof value === "bigint" && BigInt.asIntN(64, value) === value);

const same = <T>(value: T): T => value;
const isNumber = (value: unknown) => typeof value === "number";

/** Scalars as payloads: stored as `p.cloudstate.io/<name>`, the same bytes in every language. */
export const primitive = {
  /** Text. */
  string: scalar<string>("string", same, {
    wire: WireType.LengthDelimited,
    isValid: (value) => typeof value === "string",
    isDefault: (value) => value === "",
    absent: "",
    write: (writer, value) => writer.string(value),
    read: (reader) => reader.string(),
  }),
  /** Bytes. */
  bytes: scalar<Uint8Array>("bytes", same, {
    wire: WireType.LengthDelimited,
    isValid: (value) => value instanceof Uint8Array,
    isDefault: (value) => value.length === 0,
    absent: new Uint8Array(),
    write: (writer, value) => writer.bytes(value),
    read: (reader) => reader.bytes(),
  }),
  /** A whole number of 32 bits. */
  int32: scalar<number>("int32", same, {
    wire: WireType.Varint,
    isValid: integerBetween(-(2 ** 31), 2 ** 31 - 1),
    isDefault: (value) => value === 0,
    absent: 0,
    write: (writer, value) => writer.int32(value),
    read: (reader) => reader.int32(),
  }),
  /** A whole number of 64 bits; read as `bigint`. */
  int64: scalar<bigint, bigint | number>("int64", BigInt, {
    wire: WireType.Varint,
    isValid: isInt64,
    isDefault: (value) => value === 0n,
    absent: 0n,
    write: (writer, value) => writer.int64(value),
    read: (reader) => BigInt(reader.int64()),
  }),
  /** A number of 32 bits; others are rounded. */
  float: scalar<number>("float", Math.fround, {
    wire: WireType.Bit32,
    isValid: isNumber,
    isDefault: (value) => Object.is(value, 0),
    absent: 0,
    write: (writer, value) => writer.float(value),
    read: (reader) => reader.float(),
  }),
  /** A number of 64 bits, as all of JavaScript's. */
  double: scalar<number>("double", same, {
    wire: WireType.Bit64,
    isValid: isNumber,
    // Minus zero is another value, with other bytes.
    isDefault: (value) => Object.is(value, 0),
    absent: 0,
    write: (writer, value) => writer.double(value),
    read: (reader) => reader.double(),
  }),
  /** True or false. */
  bool: scalar<boolean>("bool", same, {
    wire: WireType.Varint,
    isValid: (value) => typeof value === "boolean",
    isDefault: (value) => !value,
    absent: false,
    write: (writer, value) => writer.bool(value),
    read: (reader) => reader.bool(),
  }),
} as const;

/**
 * Values that are stored as JSON, under `json.cloudstate.io/<name>`. Keys are sorted and there is no white space, so that
 * equal values have equal bytes. Never change the name once there is something stored. `T` is what the program expects;
 * that stored text fits it is not checked, unless `parse` does.
 */
export function json<T>(name: string, parse: (value: unknown) => T = (value) => value as T): PayloadType<T> {
  const typeUrl = JSON_PREFIX + name;
  const bytes = primitive.bytes;
  return {
    typeUrl,
    encode: (value) => {
      return any(typeUrl, bytes.encode(Buffer.from(stable(value, typeUrl))).value);
    },
    decode: (value) => {
      if (value.typeUrl !== typeUrl) throw otherType(typeUrl, value);
      return malformedIfThrown(typeUrl, () => {
        const text = bytes.decode(any(bytes.typeUrl, value.value));
        return parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text)));
      });
    },
  };
}

/** JSON text with sorted keys; refuses what JSON cannot hold, rather than lose it. */
function stable(value: unknown, typeUrl: string): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "number":
      if (Number.isFinite(value)) return JSON.stringify(value);
      break;
    case "object": {
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map((element) => stable(element, typeUrl)).join(",")}]`;
      if (hasToJson(value)) return stable(value.toJSON(), typeUrl);
      const fields = Object.entries(value).filter(([, field]) => field !== undefined);
      fields.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${stable(field, typeUrl)}`).join(",")}}`;
    }
    default:
  }
  throw new PayloadError(`cannot store a value of type ${typeUrl}: JSON has no ${typeof value} ${describe(value)}`);
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** Values that are encoded already; they pass as they are. */
export const raw: PayloadType<Any> = {
  typeUrl: "",
  encode: same,
  decode: same,
};
