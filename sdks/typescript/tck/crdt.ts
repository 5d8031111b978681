// The CRDT entities of the TCK.

import { type MessageInitShape, create, equals } from "@bufbuild/protobuf";

import {
  type Changeable,
  type Clock,
  type Crdt,
  Failure,
  Flag,
  GCounter,
  GSet,
  LWWRegister,
  ORMap,
  ORSet,
  PNCounter,
  Vote,
  type WriteConsistency,
  call,
  crdt,
  forward,
  primitive,
} from "../src/index.js";
import {
  CrdtConfigured,
  CrdtTckModel,
  CrdtTwo,
  type LWWRegisterClock,
  LWWRegisterClockType,
  type ORMapUpdate,
  type ORSetUpdate,
  StateSchema,
  type Update,
  UpdateWriteConsistency,
} from "./gen/cloudstate/tck/model/crdt_pb.js";
import { CONFIGURED, PLAIN } from "./options.js";

const text = primitive.string;
type Text = typeof text;

const TYPES: Readonly<Record<string, () => Crdt>> = {
  GCounter: () => new GCounter(),
  PNCounter: () => new PNCounter(),
  GSet: () => new GSet(text),
  ORSet: () => new ORSet(text),
  LWWRegister: () => new LWWRegister(text, ""),
  Flag: () => new Flag(),
  ORMap: () => new ORMap(text, make),
  Vote: () => new Vote(),
};

/** A new CRDT of the type that an entity's id or a key of a map begins with. */
function make(name: string): Crdt {
  const type = name.split("-", 1)[0] ?? "";
  const crdt = TYPES[type];
  if (crdt === undefined) throw new Error(`there is no type ${type} of CRDTs, as ${name} asks for`);
  return crdt();
}

const CONSISTENCIES: Readonly<Record<UpdateWriteConsistency, WriteConsistency>> = {
  [UpdateWriteConsistency.LOCAL]: "local",
  [UpdateWriteConsistency.MAJORITY]: "majority",
  [UpdateWriteConsistency.ALL]: "all",
};

function update(ctx: Changeable<Crdt>, change: Update): void {
  apply(ctx.state, change);
  ctx.writeConsistency = CONSISTENCIES[change.writeConsistency];
}

function apply(crdt: Crdt, { update }: Update): void {
  if (crdt instanceof GCounter && update.case === "gcounter") crdt.increment(update.value.increment);
  else if (crdt instanceof PNCounter && update.case === "pncounter") crdt.increment(update.value.change);
  else if (crdt instanceof GSet && update.case === "gset") (crdt as GSet<Text>).add(update.value.add);
  else if (crdt instanceof ORSet && update.case === "orset") applyToSet(crdt as ORSet<Text>, update.value);
  else if (crdt instanceof LWWRegister && update.case === "lwwregister") {
    (crdt as LWWRegister<Text>).set(update.value.value, clockOf(update.value.clock));
  } else if (crdt instanceof Flag && update.case === "flag") crdt.enable();
  else if (crdt instanceof ORMap && update.case === "ormap") applyToMap(crdt as ORMap<Text, Crdt>, update.value);
  else if (crdt instanceof Vote && update.case === "vote") crdt.vote(update.value.selfVote);
  else throw new Error(`a ${crdt.constructor.name} cannot be changed by ${update.case ?? "nothing"}`);
}

function clockOf(clock: LWWRegisterClock | undefined): Clock {
  const value = clock?.customClockValue ?? 0n;
  switch (clock?.clockType) {
    case LWWRegisterClockType.REVERSE:
      return { kind: "reverse" };
    case LWWRegisterClockType.CUSTOM:
      return { kind: "custom", value };
    case LWWRegisterClockType.CUSTOM_AUTO_INCREMENT:
      return { kind: "custom-auto-increment", value };
    default:
      return { kind: "default" };
  }
}

function applyToSet(set: ORSet<Text>, { action }: ORSetUpdate): void {
  if (action.case === "add") set.add(action.value);
  if (action.case === "remove") set.delete(action.value);
  if (action.case === "clear") set.clear();
}

function applyToMap(map: ORMap<Text, Crdt>, { action }: ORMapUpdate): void {
  if (action.case === "add") map.getOrCreate(action.value);
  if (action.case === "update" && action.value.update !== undefined) {
    apply(map.getOrCreate(action.value.key), action.value.update);
  }
  if (action.case === "remove") map.delete(action.value);
  if (action.case === "clear") map.clear();
}

/** The whole state, with elements and entries in order. */
function stateOf(crdt: Crdt): MessageInitShape<typeof StateSchema> {
  if (crdt instanceof GCounter) return { value: { case: "gcounter", value: { value: crdt.value } } };
  if (crdt instanceof PNCounter) return { value: { case: "pncounter", value: { value: crdt.value } } };
  if (crdt instanceof GSet) return { value: { case: "gset", value: { elements: [...(crdt as GSet<Text>)].sort() } } };
  if (crdt instanceof ORSet)
    return { value: { case: "orset", value: { elements: [...(crdt as ORSet<Text>)].sort() } } };
  if (crdt instanceof LWWRegister) {
    return { value: { case: "lwwregister", value: { value: (crdt as LWWRegister<Text>).value } } };
  }
  if (crdt instanceof Flag) return { value: { case: "flag", value: { value: crdt.value } } };
  if (crdt instanceof ORMap) {
    const entries = [...(crdt as ORMap<Text, Crdt>)].sort(([a], [b]) => (a < b ? -1 : 1));
    return { value: { case: "ormap", value: { entries: entries.map(([key, it]) => ({ key, value: stateOf(it) })) } } };
  }
  if (crdt instanceof Vote) {
    const { selfVote, votesFor, totalVoters } = crdt;
    return { value: { case: "vote", value: { selfVote, votesFor, totalVoters } } };
  }
  throw new Error(`there is no state of a ${crdt.constructor.name}`);
}

/** A CRDT of the type that its id begins with. */
export const model = crdt(CrdtTckModel, {
  ...PLAIN,
  persistenceId: CrdtTckModel.typeName,
  state: make,
  commands: {
    process({ actions }, ctx) {
      let forwarded: string | undefined;
      // Looking at it makes it: a new register is written.
      const { state } = ctx;
      for (const { action } of actions) {
        switch (action.case) {
          case "update":
            update(ctx, action.value);
            break;
          case "delete":
            ctx.delete();
            break;
          case "forward":
            forwarded = action.value.id;
            break;
          case "effect":
            ctx.effect(call(CrdtTwo.method.call, { id: action.value.id }), action.value);
            break;
          case "fail":
            throw new Failure(action.value.message);
          case undefined:
        }
      }
      if (forwarded !== undefined) return forward(call(CrdtTwo.method.call, { id: forwarded }));
      return { state: stateOf(state) };
    },
    processStreamed(command, ctx) {
      const { endState, cancelUpdate, initialUpdate, effects, empty } = command;
      if (initialUpdate !== undefined) update(ctx, initialUpdate);
      ctx.onCancel((cancelled) => {
        if (cancelUpdate !== undefined) update(cancelled, cancelUpdate);
      });
      if (empty) return undefined;
      ctx.onChange((changed) => {
        const state = create(StateSchema, stateOf(changed.state));
        for (const effect of effects) changed.effect(call(CrdtTwo.method.call, { id: effect.id }), effect);
        if (endState !== undefined && equals(StateSchema, state, endState)) changed.end();
        return { state };
      });
      return { state: stateOf(ctx.state) };
    },
  },
});

/** What forwards and side effects lead to. */
export const two = crdt(CrdtTwo, {
  ...PLAIN,
  persistenceId: CrdtTwo.typeName,
  state: () => new GCounter(),
  commands: {
    call({ actions }, ctx) {
      if (actions.some(({ action }) => action.case === "delete")) ctx.delete();
      return {};
    },
  },
});

/** Leaves memory soon. */
export const configured = crdt(CrdtConfigured, {
  ...CONFIGURED,
  persistenceId: CrdtConfigured.typeName,
  state: () => new GCounter(),
  commands: { call: () => ({}) },
});
