// Discovery: what the function serves, and what the proxy thinks of it.

import { create } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import type { UntypedServiceImplementation, handleUnaryCall } from "@grpc/grpc-js";

import { PROTOCOL } from "../library.js";
import type { Log } from "../log.js";
import type { EntitySpec, ProxyInfo, UserFunctionError } from "../protos/cloudstate/entity_pb.js";

/** @internal */
export function discoveryHandlers(spec: EntitySpec, log: Log): UntypedServiceImplementation {
  const discover: handleUnaryCall<ProxyInfo, EntitySpec> = (call, answer) => {
    for (const text of doubts(call.request, spec)) log.warn(text);
    answer(null, spec);
  };
  const reportError: handleUnaryCall<UserFunctionError, Empty> = (call, answer) => {
    log.error(`the proxy reports: ${call.request.message}`);
    answer(null, create(EmptySchema));
  };
  return { discover, reportError };
}

/** What the proxy will not like. It says so itself, but perhaps not where the author of the function looks. */
function* doubts(proxy: ProxyInfo, spec: EntitySpec): Generator<string> {
  const name = `the proxy ${proxy.proxyName} ${proxy.proxyVersion}`;
  const { protocolMajorVersion: major, protocolMinorVersion: minor } = proxy;
  if (major !== PROTOCOL.major || minor !== PROTOCOL.minor) {
    const [theirs, ours] = [`${String(major)}.${String(minor)}`, `${String(PROTOCOL.major)}.${String(PROTOCOL.minor)}`];
    yield `${name} speaks protocol ${theirs}, this function ${ours}`;
  }
  for (const { serviceName, entityType } of spec.entities) {
    if (!proxy.supportedEntityTypes.includes(entityType)) {
      yield `${name} does not support entities of type ${entityType}, such as ${serviceName}`;
    }
  }
}
