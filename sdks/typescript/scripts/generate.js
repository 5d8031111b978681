// Before the build: takes over the `.proto` files of the protocol, and compiles them.

import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { compile } from "../bin/compile.js";

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const proto = here("../proto");
rmSync(proto, { recursive: true, force: true });
cpSync(here("../../../crates/protocol/proto"), proto, { recursive: true });
cpSync(here("../../../LICENSE"), here("../LICENSE"));
rmSync(here("../src/protos"), { recursive: true, force: true });
compile([], here("../src/protos"), { builtIn: proto });
