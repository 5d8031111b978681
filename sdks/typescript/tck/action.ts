// The actions of the TCK.

import { type ActionAnswer, type ActionContext, Failure, action, call, forward, noReply } from "../src/index.js";
import {
  ActionTckModel,
  ActionTwo,
  type ProcessGroup,
  type Request,
  type ResponseSchema,
} from "./gen/cloudstate/tck/model/action_pb.js";

type Answer = ActionAnswer<typeof ResponseSchema>;

/** Takes the steps of groups in order: the last outcome counts, effects add up. */
function process(groups: readonly ProcessGroup[], ctx: ActionContext): Answer {
  let answer: Answer = noReply();
  for (const { step } of groups.flatMap(({ steps }) => steps)) {
    switch (step.case) {
      case "reply":
        answer = { message: step.value.message };
        break;
      case "forward":
        answer = forward(call(ActionTwo.method.call, { id: step.value.id }));
        break;
      case "fail":
        answer = new Failure(step.value.message);
        break;
      case "effect":
        ctx.effect(call(ActionTwo.method.call, { id: step.value.id }), step.value);
        break;
      case undefined:
    }
  }
  return answer;
}

function* processEach({ groups }: Request, ctx: ActionContext): Generator<Answer> {
  for (const group of groups) yield process([group], ctx);
}

export const model = action(ActionTckModel, {
  processUnary: ({ groups }, ctx) => process(groups, ctx),
  async processStreamedIn(requests, ctx) {
    const groups: ProcessGroup[] = [];
    for await (const request of requests) groups.push(...request.groups);
    return process(groups, ctx);
  },
  async *processStreamedOut(request, ctx) {
    yield* processEach(request, ctx);
  },
  async *processStreamed(requests, ctx) {
    for await (const request of requests) yield* processEach(request, ctx);
  },
});

/** What forwards and side effects lead to. */
export const two = action(ActionTwo, { call: () => ({}) });
