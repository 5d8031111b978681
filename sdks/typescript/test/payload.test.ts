import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";

import { json, message, PayloadError, primitive, raw } from "../src/index.js";
import { isTypeOf, payloadType } from "../src/payload.js";
import { ChangedSchema } from "./gen/counters_pb.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("default primitives have no bytes, and others the bytes of field 1", () => {
  const cases = [
    [primitive.string, "", ""],
    [primitive.string, "a", "0a0161"],
    [primitive.bytes, new Uint8Array(), ""],
    [primitive.bytes, new Uint8Array([7]), "0a0107"],
    [primitive.int32, 0, ""],
    [primitive.int32, -1, "08ffffffffffffffffff01"],
    [primitive.int64, 0n, ""],
    [primitive.int64, 300n, "08ac02"],
    [primitive.float, 0, ""],
    [primitive.float, 1.5, "0d0000c03f"],
    [primitive.double, 0, ""],
    [primitive.double, -0, "090000000000000080"],
    [primitive.bool, false, ""],
    [primitive.bool, true, "0801"],
  ] as const;
  for (const [type, value, expected] of cases) {
    const any = payloadType(type).encode(value);
    assert.equal(hex(any.value), expected, `${type.typeUrl} ${String(value)}`);
    assert.deepEqual(type.decode(any), value);
  }
});

test("a primitive is read although other fields surround it", () => {
  const value = Buffer.from("120178080518070805", "hex");
  assert.equal(primitive.int32.decode(create(AnySchema, { typeUrl: "p.cloudstate.io/int32", value })), 5);
});

test("a value of another type is refused by name", () => {
  const any = primitive.string.encode("a");
  assert.throws(
    () => primitive.int32.decode(any),
    new PayloadError(
      "cannot read a persisted value: expected type p.cloudstate.io/int32, but it is p.cloudstate.io/string",
    ),
  );
  assert.throws(
    () => message(ChangedSchema).decode(any),
    /expected type type.googleapis.com\/cloudstate.sdk.test.Changed/,
  );
  assert.throws(() => primitive.int32.encode(2 ** 31), new PayloadError("2147483648 is no int32"));
  assert.throws(() => primitive.int64.encode(2 ** 60), /1152921504606847000 is no int64/);
});

test("malformed bytes are refused by type", () => {
  const value = Buffer.from("0d00000000", "hex");
  const wrong = create(AnySchema, { typeUrl: "p.cloudstate.io/int32", value });
  assert.throws(() => primitive.int32.decode(wrong), /p.cloudstate.io\/int32: field 1 has wire type 5, expected 0/);
  const cut = create(AnySchema, {
    typeUrl: "type.googleapis.com/cloudstate.sdk.test.Changed",
    value: Buffer.from("08", "hex"),
  });
  assert.throws(() => message(ChangedSchema).decode(cut), /cannot read a persisted value of type .*Changed: /);
});

test("the host of a type URL does not matter for messages, and may be missing", () => {
  const type = message(ChangedSchema);
  const any = type.encode({ by: 3n });
  for (const typeUrl of ["x.example/cloudstate.sdk.test.Changed", "cloudstate.sdk.test.Changed"]) {
    const other = create(AnySchema, { typeUrl, value: any.value });
    assert.equal(type.decode(other).by, 3n);
    assert.ok(isTypeOf(type, other));
  }
  assert.ok(!isTypeOf(type, create(AnySchema, { typeUrl: "json.cloudstate.io/cloudstate.sdk.test.Changed" })));
});

test("equal JSON values have equal bytes", () => {
  const type = json<object>("Thing");
  const text = (value: object): string => Buffer.from(type.encode(value).value.subarray(2)).toString();
  assert.equal(
    text({ b: [1, { y: null, x: true }], a: "é", 10: 1, 9: 2 }),
    '{"10":1,"9":2,"a":"é","b":[1,{"x":true,"y":null}]}',
  );
  assert.equal(text({ at: new Date(0), gone: undefined }), '{"at":"1970-01-01T00:00:00.000Z"}');
  assert.deepEqual(type.decode(type.encode({ a: [1] })), { a: [1] });
  assert.throws(() => type.encode({ a: NaN }), /JSON has no number NaN/);
  assert.throws(() => type.encode({ a: 1n }), /json.cloudstate.io\/Thing: JSON has no bigint 1n/);
});

test("what is encoded already passes", () => {
  const any = primitive.string.encode("a");
  assert.equal(raw.decode(raw.encode(any)), any);
});
