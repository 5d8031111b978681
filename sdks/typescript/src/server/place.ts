// Where to listen.

import { ServeError, type ServerOptions } from "./options.js";

/** @internal */
export type Place =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "socket"; readonly path: string };

/**
 * Options win over variables, and a socket over a port.
 *
 * @internal
 * @throws {ServeError} if the port is none
 */
export function place(options: ServerOptions, variables: Readonly<Record<string, string | undefined>>): Place {
  const path = options.socket ?? given(variables["SOCKET"]);
  const isOtherwise = options.socket === undefined && (options.host ?? options.port) !== undefined;
  if (path !== undefined && !isOtherwise) return { kind: "socket", path };
  const host = options.host ?? given(variables["HOST"]) ?? "127.0.0.1";
  return { kind: "tcp", host, port: options.port ?? portOf(given(variables["PORT"]) ?? "8080") };
}

/** An empty variable is as good as none. */
function given(variable: string | undefined): string | undefined {
  return variable === "" ? undefined : variable;
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new ServeError(`PORT is "${text}", but must be a number from 0 to 65535`);
}

/** The address for the listener, and for people. @internal */
export function listenOn(place: Place): { readonly target: string; readonly text: string } {
  if (place.kind === "socket") return { target: `unix:${place.path}`, text: place.path };
  const host = place.host.includes(":") ? `[${place.host}]` : place.host;
  const target = `${host}:${String(place.port)}`;
  return { target, text: target };
}
