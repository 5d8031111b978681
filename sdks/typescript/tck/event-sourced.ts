// The event sourced entities of the TCK.

import { Failure, call, eventSourced, forward } from "../src/index.js";
import {
  EventSourcedConfigured,
  EventSourcedTckModel,
  EventSourcedTwo,
  PersistedSchema,
} from "./gen/cloudstate/tck/model/eventsourced_pb.js";
import { CONFIGURED, PLAIN } from "./options.js";

/** The state is the text of all events. */
export const model = eventSourced(EventSourcedTckModel, {
  ...PLAIN,
  persistenceId: "event-sourced-tck-model",
  snapshotEvery: 5,
  initial: () => "",
  events: (on) => [on(PersistedSchema, (state, { value }) => state + value)],
  snapshot: { type: PersistedSchema, take: (value) => ({ value }), restore: ({ value }) => value },
  commands: {
    process({ actions }, ctx) {
      let forwarded: string | undefined;
      for (const { action } of actions) {
        switch (action.case) {
          case "emit":
            ctx.emit(PersistedSchema, { value: action.value.value });
            break;
          case "forward":
            forwarded = action.value.id;
            break;
          case "effect":
            ctx.effect(call(EventSourcedTwo.method.call, { id: action.value.id }), action.value);
            break;
          case "fail":
            throw new Failure(action.value.message);
          case undefined:
        }
      }
      if (forwarded !== undefined) return forward(call(EventSourcedTwo.method.call, { id: forwarded }));
      return { message: ctx.state };
    },
  },
});

const silent = { initial: () => undefined, events: () => [], commands: { call: () => ({}) } };

/** What forwards and side effects lead to. */
export const two = eventSourced(EventSourcedTwo, {
  ...PLAIN,
  persistenceId: "event-sourced-tck-model-two",
  ...silent,
});

/** Leaves memory soon. */
export const configured = eventSourced(EventSourcedConfigured, {
  ...CONFIGURED,
  persistenceId: "event-sourced-configured",
  ...silent,
});
