#!/usr/bin/env node
// The command line of the compiler for `.proto` files.

import { parseArgs } from "node:util";

import { CompileError, compile } from "./compile.js";

const USAGE = `Usage: cloudstate-compile [--out DIR] PROTO_DIR...

Turns the .proto files below each PROTO_DIR into TypeScript in DIR (default: src/gen): a file X_pb.ts for each X.proto.
Imports are looked up below the PROTO_DIRs. cloudstate/*.proto, google/api/*.proto and google/protobuf/*.proto are built
in.`;

/** @returns {{ directories: string[], out: string } | undefined} `undefined` if help was asked for */
function parse() {
  const { values, positionals } = parseArgs({
    options: { out: { type: "string" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  });
  if (values.help) return undefined;
  if (positionals.length === 0) throw new CompileError(`no PROTO_DIR is given\n\n${USAGE}`);
  return { directories: positionals, out: values.out ?? "src/gen" };
}

try {
  const parsed = parse();
  if (parsed === undefined) {
    console.log(USAGE);
  } else {
    compile(parsed.directories, parsed.out);
  }
} catch (error) {
  const known = error instanceof CompileError || (error instanceof Error && "code" in error);
  console.error(known ? `cloudstate-compile: ${error.message}` : error);
  process.exitCode = 1;
}
