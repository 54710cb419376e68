/**
 * An engine whose silence is noticed. A call that is not answered may be one wedged container; when a ping right after
 * it is not answered either, the daemon is silent, and it is pinged until it answers. Streams that follow a container
 * for hours are not counted.
 */
import { EngineError, type Engine } from './engine.ts';

/** Starting and removing may take longer on a loaded host; then the ping is answered and nothing follows. */
const SLOW_CALL_MS = 5_000;
const PING_EVERY_MS = 2_000;

export type EngineWatch = { onSilent: (reason: string) => void; onAnswering: () => void };

export type WatchedEngine = Engine & {
  /** It did not answer a ping, and none since. */
  isSilent: () => boolean;
  stopWatching: () => void;
};

export function watchEngine(engine: Engine, watch: EngineWatch): WatchedEngine {
  let asking: Promise<void> | undefined;
  let silent = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function pingUntilItAnswers(): void {
    timer = setTimeout(() => {
      engine.ping().then(
        () => {
          silent = false;
          if (!stopped) watch.onAnswering();
        },
        () => {
          if (!stopped) pingUntilItAnswers();
        },
      );
    }, PING_EVERY_MS);
  }

  function suspect(reason: string): void {
    if (silent || stopped) return;
    asking ??= engine
      .ping()
      .catch(() => {
        silent = true;
        if (stopped) return;
        watch.onSilent(reason);
        pingUntilItAnswers();
      })
      .finally(() => {
        asking = undefined;
      });
  }

  async function counted<T>(call: () => Promise<T>): Promise<T> {
    const slow = setTimeout(() => suspect(`a call takes longer than ${SLOW_CALL_MS} ms`), SLOW_CALL_MS);
    try {
      return await call();
    } catch (error) {
      if (error instanceof EngineError && error.failure === 'away') suspect(error.message);
      throw error;
    } finally {
      clearTimeout(slow);
    }
  }

  return {
    ping: () => engine.ping(),
    create: (spec) => counted(() => engine.create(spec)),
    attach: (id) => counted(() => engine.attach(id)),
    start: (id) => counted(() => engine.start(id)),
    inspect: (id) => counted(() => engine.inspect(id)),
    stop: (id, graceSeconds) => counted(() => engine.stop(id, graceSeconds)),
    remove: (id) => counted(() => engine.remove(id)),
    rename: (id, name) => counted(() => engine.rename(id, name)),
    list: (labels) => counted(() => engine.list(labels)),
    imageId: (reference) => counted(() => engine.imageId(reference)),
    usage: (id) => counted(() => engine.usage(id)),
    host: () => counted(() => engine.host()),
    logs: (id, from, signal) => engine.logs(id, from, signal),
    wait: (id, signal) => engine.wait(id, signal),
    isSilent: () => silent,
    stopWatching: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
