// Turns `.proto` files into TypeScript.
//
//   your .proto files ──┐
//   cloudstate/*.proto ─┼─▶ one directory ──buf──▶ descriptors ──protoc-gen-es──▶ X_pb.ts
//   google/api/*.proto ─┘                         └───────────comments────────────────┘
//
// The generated files hold their descriptors, options and comments and all, so that discovery needs no other file. Plain
// JavaScript, because the SDK's own build starts with it.

import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema, SourceCodeInfoSchema } from "@bufbuild/protobuf/wkt";

/** What is wrong with the files or the installation; the message is for a person. */
export class CompileError extends Error {}

/** Where the `.proto` files lie that are built in. */
const BUILT_IN = fileURLToPath(new URL("../proto", import.meta.url));

/** The same of the generated code: the imports of built-in files lead into this package. */
const REWRITES = ["cloudstate", "google/api"].map(
  (directory) => `rewrite_imports=./${directory}/**/*_pb.js:@cloudstate/cloudstate/protos`,
);

/**
 * Compiles all files below some directories.
 *
 * @param {string[]} directories where the files lie; the paths in imports begin here
 * @param {string} out where the generated files go; it is made if need be
 * @param {{ builtIn?: string }} [options] `builtIn`: compile the built-in files in this directory instead
 * @throws {CompileError} naming the file and the line
 */
export function compile(directories, out, options = {}) {
  const workspace = mkdtempSync(join(tmpdir(), "cloudstate-compile-"));
  try {
    const builtIn = options.builtIn ?? BUILT_IN;
    const origins = stage(workspace, directories, builtIn);
    const module = options.builtIn === undefined ? "given" : "builtin";
    if (module === "given" && origins.size === 0) {
      throw new CompileError(`there is no .proto file below ${directories.join(", ")}`);
    }
    generate(join(workspace, module), resolve(out), module === "given" ? REWRITES : [], origins);
    if (module === "given") addComments(join(workspace, module), resolve(out), origins);
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

/**
 * Copies everything into one place, since buf takes no file from outside its workspace.
 *
 * @param {string} workspace an empty directory
 * @param {string[]} directories
 * @param {string} builtIn
 * @returns {Map<string, string>} where each given file comes from, by its path in imports
 */
function stage(workspace, directories, builtIn) {
  const modules = [{ path: "given" }, { path: "builtin" }];
  writeFileSync(join(workspace, "buf.yaml"), JSON.stringify({ version: "v2", modules }));
  cpSync(builtIn, join(workspace, "builtin"), { recursive: true });
  mkdirSync(join(workspace, "given"));
  /** @type {Map<string, string>} */
  const origins = new Map();
  for (const directory of directories) {
    for (const path of protoFiles(directory)) {
      const first = origins.get(path);
      if (first !== undefined) {
        throw new CompileError(`${join(directory, path)} and ${first} are the same file in imports: ${path}`);
      }
      // A copy of a built-in file, as other tools need it, is the same file.
      if (existsSync(join(builtIn, path))) continue;
      origins.set(path, join(directory, path));
      const target = join(workspace, "given", path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(directory, path), target);
    }
  }
  return origins;
}

/**
 * @param {string} directory
 * @returns {string[]} paths relative to it, sorted
 */
function protoFiles(directory) {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new CompileError(`${directory} is not a directory`);
  }
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return paths
    .map((path) => path.split(sep).join("/"))
    .filter((path) => path.endsWith(".proto") && !path.includes("node_modules/"))
    .sort();
}

/**
 * @param {string} module
 * @param {string} out
 * @param {string[]} rewrites
 * @param {Map<string, string>} origins
 */
function generate(module, out, rewrites, origins) {
  const local = [process.execPath, installed("@bufbuild/protoc-gen-es", "bin/protoc-gen-es")];
  const opt = ["target=ts", "import_extension=js", ...rewrites];
  const template = { version: "v2", plugins: [{ local, out, opt }] };
  buf(["generate", module, "--template", JSON.stringify(template)], module, origins);
}

/**
 * The generator leaves comments out of the descriptors. The proxy shows those of services and messages to people, so they
 * are put back.
 *
 * @param {string} module
 * @param {string} out
 * @param {Map<string, string>} origins
 */
function addComments(module, out, origins) {
  const image = join(dirname(module), "image.binpb");
  buf(["build", module, "-o", image], module, origins);
  for (const { name, sourceCodeInfo } of fromBinary(FileDescriptorSetSchema, readFileSync(image)).file) {
    const commented = (sourceCodeInfo?.location ?? []).filter(
      ({ leadingComments, trailingComments }) => leadingComments !== "" || trailingComments !== "",
    );
    if (!origins.has(name) || commented.length === 0) continue;
    const location = commented.map((it) => ({ ...it, leadingDetachedComments: [] }));
    const encoded = base64Encode(toBinary(SourceCodeInfoSchema, create(SourceCodeInfoSchema, { location })));
    const path = join(out, `${name.slice(0, -".proto".length)}_pb.ts`);
    const file = /^export const (file_[\w$]+): GenFile/m.exec(readFileSync(path, "utf8"))?.[1];
    if (file === undefined) throw new CompileError(`${path} has no descriptor: protoc-gen-es has changed`);
    appendFileSync(path, comments(file, encoded));
  }
}

/**
 * @param {string} file the name of its descriptor
 * @param {string} encoded
 */
function comments(file, encoded) {
  // The names are those of no message.
  return `
import { fromBinary as comments$fromBinary } from "@bufbuild/protobuf";
import { base64Decode as comments$base64Decode } from "@bufbuild/protobuf/wire";
import { SourceCodeInfoSchema as comments$Schema } from "@bufbuild/protobuf/wkt";

// The comments of the file, which the proxy shows to people.
${file}.proto.sourceCodeInfo = comments$fromBinary(comments$Schema, comments$base64Decode("${encoded}"));
`;
}

/**
 * @param {string[]} words
 * @param {string} module
 * @param {Map<string, string>} origins
 */
function buf(words, module, origins) {
  const program = installed("@bufbuild/buf", "bin/buf");
  const run = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
  if (run.error !== undefined) throw new CompileError(`cannot run buf: ${run.error.message}`);
  if (run.status !== 0) throw new CompileError(explain(run.stderr, module, origins));
}

/**
 * Names the files as their author knows them.
 *
 * @param {string} text what buf complained about
 * @param {string} module
 * @param {Map<string, string>} origins
 */
function explain(text, module, origins) {
  const lines = text.trim().split("\n");
  const named = lines.map((line) => {
    const path = line.startsWith(module + sep) ? line.slice(module.length + 1) : line;
    const end = path.indexOf(".proto:") + ".proto".length;
    const origin = origins.get(path.slice(0, end));
    return origin === undefined ? path : origin + path.slice(end);
  });
  return `the .proto files cannot be compiled:\n${named.join("\n")}`;
}

/**
 * The path of a program of another package, looked for where the user installed it, then beside this package.
 *
 * @param {string} name
 * @param {string} path
 */
function installed(name, path) {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve(`${name}/package.json`)), path);
    } catch {
      // It may be in the other place.
    }
  }
  throw new CompileError(`${name} is not installed: npm install --save-dev @bufbuild/buf @bufbuild/protoc-gen-es`);
}
