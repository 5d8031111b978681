// Who is online: a user is as long as anybody holds a `Connect` stream for him, on any node.

import { crdt, Failure, Vote } from "@cloudstate/cloudstate";

import { Presence } from "./gen/presence_pb.js";

export const presence = crdt(Presence, {
  persistenceId: "presence",
  // Every node votes yes while somebody is connected to it. How many are is its own business, and not replicated.
  state: () => Object.assign(new Vote(), { connections: 0 }),
  commands: {
    connect(_, ctx) {
      if (!ctx.streamed) throw new Failure("a user is online as long as a stream is open; this call has none");
      ctx.state.connections += 1;
      ctx.state.vote(true);
      ctx.onCancel(({ state }) => {
        state.connections -= 1;
        if (state.connections === 0) state.vote(false);
      });
    },
    monitor(_, ctx) {
      let online = ctx.state.isAtLeastOne;
      ctx.onChange(({ state }) => {
        if (state.isAtLeastOne === online) return undefined;
        online = state.isAtLeastOne;
        return { online };
      });
      return { online };
    },
  },
});
