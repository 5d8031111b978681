// Serves presence.

import { UserFunction } from "@cloudstate/cloudstate";

import { presence } from "./presence.js";

await new UserFunction({ name: "presence", version: "0.1.0", serves: [presence] }).run();
