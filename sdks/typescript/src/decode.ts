import { type DescMethod, fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

import { textOf } from "./log.js";
import type { Command } from "./protos/cloudstate/entity_pb.js";
import { Broken } from "./step.js";

/** The message of a command for an entity, whatever its type URL says. @internal */
export function decode(method: DescMethod, command: Command, payload: Any, failed = "Unexpected failure"): unknown {
  try {
    return fromBinary(method.input, payload.value);
  } catch (error) {
    const what = `${failed}: malformed message of command ${command.name}: ${textOf(error)}`;
    throw new Broken(command.id, what, { cause: error });
  }
}
