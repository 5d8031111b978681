// Elements and keys are equal if their encodings are: the type URL and the bytes.

import type { Any } from "@bufbuild/protobuf/wkt";

/** An element, and its encoding. @internal */
export interface Element<T> {
  readonly any: Any;
  readonly value: T;
}

/** A text that is equal for equal encodings, and for no others. @internal */
export function identity(any: Any): string {
  // A type URL has no zero character.
  return `${any.typeUrl}\0${Buffer.from(any.value.buffer, any.value.byteOffset, any.value.byteLength).toString("latin1")}`;
}

/** @internal */
export function sameAny(a: Any, b: Any): boolean {
  return a.typeUrl === b.typeUrl && Buffer.compare(a.value, b.value) === 0;
}
