/**
 * When to start what waits: on each call, and again whenever something was started, as long as there is something and
 * room for it. No more at once than the engine's launch gate lets through; calls beyond that are remembered. After one
 * that could not start the next is left to whoever calls again: an engine that refuses everything would else use up
 * every waiting job.
 */
export type Starter = {
  /** Resolves when what it began runs, or nothing could be begun. */
  start: () => Promise<void>;
  /** Begins nothing more and waits for what has begun. */
  stop: () => Promise<void>;
};

/** `startNext` answers whether something was started; `onFailure` hears of those that were begun without a call. */
export function makeStarter(
  startNext: () => Promise<boolean>,
  atOnceMax: number,
  onFailure: (error: unknown) => void,
): Starter {
  const begun = new Set<Promise<boolean>>();
  let calledMeanwhile = false;
  let stopped = false;

  async function start(): Promise<void> {
    if (stopped) return;
    if (begun.size >= atOnceMax) {
      calledMeanwhile = true;
      return;
    }
    const one = startNext();
    begun.add(one);
    const again = await one.finally(() => begun.delete(one)).then((started) => started || calledMeanwhile);
    if (!again) return;
    calledMeanwhile = false;
    start().catch(onFailure);
  }

  return {
    start,
    stop: async () => {
      stopped = true;
      await Promise.allSettled(begun);
    },
  };
}
