// What is in flight, and what is just open.

/** Counts what must end before the function may, and knows the streams of idle entities. @internal */
export class Activity {
  #inFlight = 0;
  #open = new Set<() => void>();
  #waiting: (() => void)[] = [];

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    try {
      return await work();
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0)
        this.#waiting.splice(0).forEach((resolve) => {
          resolve();
        });
    }
  }

  /** Remembers how to close a stream, until what is returned is called. */
  open(close: () => void): () => void {
    this.#open.add(close);
    return () => this.#open.delete(close);
  }

  /** Closes all open streams. */
  close(): void {
    for (const close of this.#open) close();
  }

  /** Waits until nothing is in flight, at most for so many milliseconds. */
  async idle(milliseconds: number): Promise<void> {
    if (this.#inFlight === 0) return;
    await atMost(milliseconds, new Promise<void>((resolve) => this.#waiting.push(resolve)));
  }
}

/** Waits for something, but no longer than so many milliseconds. @internal */
export async function atMost(milliseconds: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([late, done]);
  clearTimeout(timer);
}
