// The function that the TCK (technology compatibility kit) runs over this SDK: its model services, all in one.

import { UserFunction } from "../src/index.js";
import * as action from "./action.js";
import * as crdt from "./crdt.js";
import * as eventSourced from "./event-sourced.js";
import * as value from "./value.js";

/** All model services. */
export const tck = new UserFunction({
  name: "cloudstate-tck-typescript",
  version: "0.1.0",
  serves: [
    action.model,
    action.two,
    eventSourced.model,
    eventSourced.two,
    eventSourced.configured,
    value.model,
    value.two,
    value.configured,
    crdt.model,
    crdt.two,
    crdt.configured,
  ],
});
