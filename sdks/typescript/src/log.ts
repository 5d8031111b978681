/** Where the SDK writes what an operator should know. */
export interface Log {
  /** Something went as it should. */
  info(text: string): void;
  /** Something is odd, but goes on. */
  warn(text: string): void;
  /** Something failed. */
  error(text: string): void;
}

/** Writes lines to standard error. */
export const logToStderr: Log = {
  info: (text) => {
    write("INFO", text);
  },
  warn: (text) => {
    write("WARN", text);
  },
  error: (text) => {
    write("ERROR", text);
  },
};

function write(level: string, text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`);
}

/**
 * The text of whatever was thrown.
 *
 * @internal
 */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * The text of whatever was thrown, with where it was, for the log.
 *
 * @internal
 */
export function traceOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
