// The entities that the tests drive.

import {
  action,
  call,
  Failure,
  eventSourced,
  forward,
  json,
  noReply,
  reply,
  value,
  Metadata,
  crdt,
  PNCounter,
} from "../src/index.js";
import { ChangedSchema, Counter, Room, Sums, TotalSchema } from "./gen/counters_pb.js";

export const renamed = json<{ name: string }>("Renamed");

/** Grows by events. `by` of 66 breaks it. */
export const counter = eventSourced(Counter, {
  persistenceId: "counter",
  snapshotEvery: 3,
  initial: () => ({ value: 0n, names: [] as string[] }),
  events: (on) => [
    on(ChangedSchema, (state, { by }) => ({ ...state, value: state.value + by })),
    on(renamed, (state, { name }) => {
      state.names.push(name);
    }),
  ],
  snapshot: {
    type: TotalSchema,
    take: ({ value }) => ({ value }),
    restore: ({ value }) => ({ value, names: [] }),
  },
  commands: {
    async increase({ by }, ctx) {
      await Promise.resolve();
      if (by === 0n) throw new Failure("a counter must change");
      if (by === 66n) throw new Error("cannot count to 66");
      ctx.emit(ChangedSchema, { by });
      if (ctx.state.value > 100n) ctx.fail("too many");
      if (by === 7n) ctx.effect(call(Counter.method.get, { id: "other" }), { synchronous: true });
      if (by === 8n) return forward(call(Counter.method.get, { id: "other" }));
      return reply({ value: ctx.state.value }, Metadata.of({ seen: ctx.metadata.get("Who") ?? "nobody" }));
    },
    reset(_, ctx) {
      ctx.emit(ChangedSchema, { by: -ctx.state.value });
      ctx.emit(renamed, { name: "reset" });
    },
    get: (_, ctx) => ({ value: ctx.state.value }),
  },
});

/** The same as a value. */
export const valueCounter = value(Counter, {
  persistenceId: "value-counter",
  passivationTimeout: 500,
  state: TotalSchema,
  commands: {
    increase({ by }, ctx) {
      const value = (ctx.state?.value ?? 0n) + by;
      ctx.update({ value });
      if (by === 66n) throw new Error("cannot count to 66");
      if (value > 100n) return new Failure("too many");
      return { value };
    },
    reset(_, ctx) {
      ctx.delete();
    },
    get: (_, ctx) => ({ value: ctx.state?.value ?? 0n }),
  },
});

/** A replicated counter that can be watched. */
export const room = crdt(Room, {
  state: () => Object.assign(new PNCounter(), { watchers: 0 }),
  commands: {
    enter({ by }, ctx) {
      const value = ctx.state.increment(by);
      if (by === 0n) throw new Failure("nobody enters");
      if (by === 66n) throw new Error("cannot count to 66");
      return { value };
    },
    watch(_, ctx) {
      ctx.state.watchers += 1;
      ctx.onChange((change) => {
        if (change.state.value === 13n) change.state.increment();
        if (change.state.value > 100n) change.end();
        return { value: change.state.value };
      });
      ctx.onCancel((cancel) => {
        cancel.state.watchers -= 1;
        cancel.state.decrement(100);
      });
      return { value: ctx.state.value };
    },
    close(_, ctx) {
      ctx.delete();
    },
  },
});

export const sums = action(Sums, {
  async add({ left, right }, ctx) {
    await Promise.resolve();
    ctx.effect(call(Counter.method.increase, { id: "sums", by: 1n }));
    if (left === 66n) throw new Error("cannot add 66");
    if (left === 0n) ctx.fail("nothing to add");
    if (left === 1n) return noReply();
    return { value: left + right };
  },
  async total(numbers) {
    let value = 0n;
    for await (const number of numbers) value += number.value;
    return { value };
  },
  async *upTo({ value }, ctx) {
    for (let next = 1n; next <= value; next++) {
      if (next === 4n) yield new Failure("four is skipped");
      else if (next === 5n) ctx.effect(call(Counter.method.get, { id: "five" }));
      else if (next === 66n) throw new Failure("that is enough");
      else yield { value: next };
    }
  },
  async *running(numbers) {
    let value = 0n;
    for await (const number of numbers) yield { value: (value += number.value) };
  },
});
