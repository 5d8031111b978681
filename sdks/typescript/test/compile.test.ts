// The compiler for `.proto` files, as a user runs it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../bin/cloudstate-compile.js", import.meta.url));

function project(t: TestContext, files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "cloudstate-"));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

function compile(directory: string, ...words: string[]): { readonly code: number | null; readonly errors: string } {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], { cwd: directory, encoding: "utf8" });
  return { code: status, errors: stderr };
}

const HEAD = 'syntax = "proto3";\npackage a;\nimport "cloudstate/entity_key.proto";\n';

test("files in several directories import each other and what is built in", (t) => {
  const directory = project(t, {
    "one/a/key.proto": `${HEAD}message Key { string id = 1 [(cloudstate.entity_key) = true]; }`,
    "two/b.proto":
      'syntax = "proto3";\npackage b;\nimport "a/key.proto";\nservice S { rpc Get(a.Key) returns (a.Key); }',
    // A copy, as other tools need it.
    "two/cloudstate/entity_key.proto": "not even a .proto file",
  });
  assert.deepEqual(compile(directory, "one", "two"), { code: 0, errors: "" });
  const key = readFileSync(join(directory, "src/gen/a/key_pb.ts"), "utf8");
  assert.match(key, /from "@cloudstate\/cloudstate\/protos\/cloudstate\/entity_key_pb.js"/);
  assert.doesNotMatch(key, /sourceCodeInfo/, "there are no comments");
  assert.match(readFileSync(join(directory, "src/gen/b_pb.ts"), "utf8"), /from ".\/a\/key_pb.js"/);
});

test("mistakes are named with file and line", (t) => {
  const directory = project(t, {
    "proto/a.proto": `${HEAD}message A { B b = 1; }`,
    "other/a.proto": HEAD,
    "empty/x": "",
  });
  const cases: [string[], RegExp][] = [
    [["proto"], /^cloudstate-compile: the .proto files cannot be compiled:\nproto\/a.proto:4:13:.*`B`/],
    [["nowhere"], /^cloudstate-compile: nowhere is not a directory\n$/],
    [["empty"], /^cloudstate-compile: there is no .proto file below empty\n$/],
    [
      ["proto", "other"],
      /^cloudstate-compile: other\/a.proto and proto\/a.proto are the same file in imports: a.proto\n$/,
    ],
    [[], /^cloudstate-compile: no PROTO_DIR is given\n\nUsage: /],
    [["--to", "x"], /^cloudstate-compile: Unknown option '--to'/],
  ];
  for (const [words, text] of cases) {
    const { code, errors } = compile(directory, ...words);
    assert.equal(code, 1, words.join(" "));
    assert.match(errors, text);
  }
});
