// The value entities of the TCK.

import { Failure, call, forward, value } from "../src/index.js";
import {
  PersistedSchema,
  ValueEntityConfigured,
  ValueEntityTckModel,
  ValueEntityTwo,
} from "./gen/cloudstate/tck/model/valueentity_pb.js";
import { CONFIGURED, PLAIN } from "./options.js";

/** The state is a text. */
export const model = value(ValueEntityTckModel, {
  ...PLAIN,
  persistenceId: "value-entity-tck-model",
  state: PersistedSchema,
  commands: {
    process({ actions }, ctx) {
      let forwarded: string | undefined;
      for (const { action } of actions) {
        switch (action.case) {
          case "update":
            ctx.update({ value: action.value.value });
            break;
          case "delete":
            ctx.delete();
            break;
          case "forward":
            forwarded = action.value.id;
            break;
          case "effect":
            ctx.effect(call(ValueEntityTwo.method.call, { id: action.value.id }), action.value);
            break;
          case "fail":
            throw new Failure(action.value.message);
          case undefined:
        }
      }
      if (forwarded !== undefined) return forward(call(ValueEntityTwo.method.call, { id: forwarded }));
      return { message: ctx.state?.value ?? "" };
    },
  },
});

const silent = { state: PersistedSchema, commands: { call: () => ({}) } };

/** What forwards and side effects lead to. */
export const two = value(ValueEntityTwo, { ...PLAIN, persistenceId: "value-entity-tck-model-two", ...silent });

/** Leaves memory soon. */
export const configured = value(ValueEntityConfigured, {
  ...CONFIGURED,
  persistenceId: "value-entity-configured",
  ...silent,
});
