/**
 * An engine whose silence is noticed. After SILENT_AFTER unanswered calls in a row it counts as silent and is pinged
 * until it answers. Streams that follow a container for hours are not counted.
 */
import { EngineError, type Engine } from './engine.ts';

export const SILENT_AFTER = 3;
const PING_EVERY_MS = 2_000;

export type EngineWatch = { onSilent: (reason: string) => void; onAnswering: () => void };

export function watchEngine(engine: Engine, watch: EngineWatch): Engine & { stopWatching: () => void } {
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function pingUntilItAnswers(): void {
    timer = setTimeout(() => {
      engine.ping().then(
        () => {
          timer = undefined;
          unanswered = 0;
          if (!stopped) watch.onAnswering();
        },
        () => {
          if (!stopped) pingUntilItAnswers();
        },
      );
    }, PING_EVERY_MS);
  }

  async function counted<T>(call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      unanswered = 0;
      return answer;
    } catch (error) {
      if (!(error instanceof EngineError && error.failure === 'away')) unanswered = 0;
      else if ((unanswered += 1) >= SILENT_AFTER && timer === undefined && !stopped) {
        watch.onSilent(error.message);
        pingUntilItAnswers();
      }
      throw error;
    }
  }

  return {
    ping: () => counted(() => engine.ping()),
    create: (spec) => counted(() => engine.create(spec)),
    attach: (id) => counted(() => engine.attach(id)),
    start: (id) => counted(() => engine.start(id)),
    inspect: (id) => counted(() => engine.inspect(id)),
    stop: (id, graceSeconds) => counted(() => engine.stop(id, graceSeconds)),
    remove: (id) => counted(() => engine.remove(id)),
    rename: (id, name) => counted(() => engine.rename(id, name)),
    list: (labels) => counted(() => engine.list(labels)),
    imageId: (reference) => counted(() => engine.imageId(reference)),
    host: () => counted(() => engine.host()),
    logs: (id, since, signal) => engine.logs(id, since, signal),
    wait: (id, signal) => engine.wait(id, signal),
    stopWatching: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
