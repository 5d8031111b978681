// How a user function is served, and what one can do with it then.

import type { Log } from "../log.js";

/** How a user function is served. */
export interface ServerOptions {
  /** The address to listen on. Default: the variable `HOST`, else 127.0.0.1. */
  readonly host?: string;
  /** The port to listen on; 0 takes a free one. Default: the variable `PORT`, else 8080. */
  readonly port?: number;
  /** The Unix socket to listen on, instead of host and port. Default: the variable `SOCKET`. */
  readonly socket?: string;
  /** Size of the largest message taken from the proxy, in bytes. Default: 64 MiB. */
  readonly maxMessageBytes?: number;
  /** How long calls in flight may take when the function is asked to stop, in milliseconds. Default: 10,000. */
  readonly drainTimeout?: number;
  /** Where to write what an operator should know. Default: standard error. */
  readonly log?: Log;
}

/** A user function that is served. */
export interface Server {
  /** Where it listens: host and port, or the path of the socket. */
  readonly address: string;
  /** The port that it listens on; 0 for a socket. */
  readonly port: number;
  /** Takes no more calls, lets those in flight end, and closes. The proxy loads entities afresh once it is back. */
  stop(): Promise<void>;
}

/** The function cannot be served here. */
export class ServeError extends Error {
  override name = "ServeError";
}
