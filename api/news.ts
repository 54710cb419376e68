/**
 * Who waits for something to move hears of it. All listeners of a process share one LISTEN connection, which stands only
 * while somebody listens.
 */
import type { Hearing } from '../sql/hear.ts';
import { Problem } from './problem.ts';

const LISTENERS_MAX = 500;
const LISTENERS_OF_ONE_MAX = 5;
/** `ofOneMax` for logs, which several people may follow. */
export const FOLLOWERS_OF_LOG_MAX = 50;
const RETRY_AFTER_SECONDS = 10;

/** Nothing has this id. */
const ALL = '*';

type Listener = {
  moved: () => void;
  /** Something moved, whatever it was: hears of it as often as anything does. */
  anyMoved?: () => void;
  end: () => void;
};
export type News = {
  /** Throws `too_many_listeners`. Answers how to stop listening. */
  listen: (id: string, listener: Listener) => Promise<() => void>;
  /** Hears of everything that moves; ends with the connection. */
  listenToAll: (listener: Listener) => Promise<void>;
  listeners: () => number;
  stop: () => Promise<void>;
};

export function makeNews(
  open: () => Promise<Hearing>,
  {
    onLost,
    listenersMax = LISTENERS_MAX,
    ofOneMax = LISTENERS_OF_ONE_MAX,
  }: { onLost: (error: Error) => void; listenersMax?: number; ofOneMax?: number },
): News {
  const byId = new Map<string, Set<Listener>>();
  let count = 0;
  let hearing: Promise<Hearing> | undefined;

  /** Whoever watches hears nothing any more: the streams end, and their readers come again. */
  function lose(lost: Promise<Hearing>, error: Error): void {
    if (hearing !== lost) return;
    hearing = undefined;
    onLost(error);
    endAll();
  }

  function connect(): Promise<Hearing> {
    if (hearing) return hearing;
    const opening = open();
    hearing = opening;
    opening.then(
      (connected) => {
        connected.onMoved((id) => {
          for (const key of [id, ALL]) byId.get(key)?.forEach((listener) => listener.moved());
          for (const listeners of byId.values()) listeners.forEach((listener) => listener.anyMoved?.());
        });
        void connected.ended.then((error) => error && lose(opening, error));
      },
      () => {
        if (hearing === opening) hearing = undefined;
      },
    );
    return opening;
  }

  function endAll(): void {
    for (const [key, listeners] of byId)
      for (const listener of listeners) {
        // Streams leave when they have ended.
        if (key === ALL && listeners.delete(listener)) count -= 1;
        listener.end();
      }
  }

  async function closeUnheard(): Promise<void> {
    if (count > 0 || !hearing) return;
    const last = hearing;
    hearing = undefined;
    await last.then((connected) => connected.close()).catch(() => undefined);
  }

  async function add(id: string, listener: Listener): Promise<() => void> {
    const listeners = byId.get(id) ?? new Set();
    if (count >= listenersMax || listeners.size >= ofOneMax)
      throw new Problem('too_many_listeners', undefined, { headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } });
    byId.set(id, listeners.add(listener));
    count += 1;
    const leave = (): void => {
      if (!listeners.delete(listener)) return;
      count -= 1;
      if (listeners.size === 0) byId.delete(id);
      void closeUnheard();
    };
    try {
      await connect();
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  return {
    listen: add,
    listenToAll: async (listener) => {
      await add(ALL, listener);
    },
    listeners: () => count,
    stop: async () => {
      endAll();
      await closeUnheard();
    },
  };
}
