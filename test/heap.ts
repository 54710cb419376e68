/** Looks into the heap of a process that was started with `--inspect=127.0.0.1:0`, from outside. */
import { readFileSync } from 'node:fs';
import { WebSocket } from 'undici';

const ANSWER_LIMIT_MS = 10_000;

export type Heap = {
  /** Bytes of heap and buffers that stay once all that can go is collected. */
  keptBytes: () => Promise<number>;
  close: () => void;
};

type Usage = { usedSize: number; embedderHeapUsedSize: number; backingStorageSize: number };

/** Speaks the inspector's protocol to the process whose log is at `logPath`: https://chromedevtools.github.io/devtools-protocol/v8 */
export async function lookIntoHeap(logPath: string): Promise<Heap> {
  const [url] = /ws:\/\/\S+/.exec(readFileSync(logPath, 'utf8')) ?? [];
  if (url === undefined) throw new Error(`${logPath} names no inspector`);
  const socket = new WebSocket(url);
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error(`no inspector at ${url}`)), { once: true });
  });
  const call = (method: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      last += 1;
      const id = last;
      const timer = setTimeout(() => reject(new Error(`${method} is not answered`)), ANSWER_LIMIT_MS);
      waiting.set(id, (result) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(result);
      });
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    keptBytes: async () => {
      // What is let go by a finalizer of the first collection goes with the second.
      await call('HeapProfiler.collectGarbage');
      await call('HeapProfiler.collectGarbage');
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = (await call('Runtime.getHeapUsage')) as Usage;
      return usedSize + embedderHeapUsedSize + backingStorageSize;
    },
    close: () => socket.close(),
  };
}
