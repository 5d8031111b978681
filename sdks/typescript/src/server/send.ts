import type { Writable } from "node:stream";

/** Sends a message, and waits while the proxy takes no more. Once the proxy has gone, it does nothing. @internal */
export async function send(call: Writable & { readonly cancelled: boolean }, message: unknown): Promise<void> {
  if (call.cancelled || call.destroyed) return;
  if (call.write(message)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.off("drain", done);
      call.off("close", done);
      resolve();
    };
    call.on("drain", done);
    call.on("close", done);
  });
}
