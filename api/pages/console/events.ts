/** Server-sent events that only say that something moved: the page then loads itself again. Nothing is asked of Postgres. */
import { PassThrough } from 'node:stream';
import { jobIdOf } from '../../operators/intervention-operations.ts';
import type { News } from '../../news.ts';
import type { ConsoleDeps, Gate, Visit } from './gate.ts';

/** Then the browser comes again, and its session is looked at anew. */
const STREAM_LIMIT_MS = 10 * 60_000;
/** Below the idle limits usual in proxies. */
const HEARTBEAT_MS = 20_000;
const RETRY_MS = 3_000;
/** One event tells of all that moved within this time. */
const GATHER_MS = 1_000;

type Listen = (listener: Parameters<News['listen']>[1]) => Promise<() => void>;

/** Throws `too_many_listeners`. */
export async function movedEvents(listen: Listen, gatherMs = GATHER_MS): Promise<PassThrough> {
  const stream = new PassThrough();
  let gathering: NodeJS.Timeout | undefined;
  const moved = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      if (stream.writable) stream.write('event: moved\ndata: 1\n\n');
    }, gatherMs);
  };
  const end = (): void => void stream.end();
  const leave = await listen({ moved, anyMoved: moved, end });
  const heartbeat = setInterval(() => stream.writable && stream.write(': still here\n\n'), HEARTBEAT_MS);
  const limit = setTimeout(end, STREAM_LIMIT_MS);
  stream.once('close', () => {
    leave();
    clearInterval(heartbeat);
    clearTimeout(limit);
    clearTimeout(gathering);
  });
  stream.write(`retry: ${RETRY_MS}\n\n`);
  return stream;
}

async function answer({ ctx }: Visit, listen: Listen): Promise<void> {
  // Who goes while we begin to listen is not seen by the stream.
  let gone = ctx.res.closed;
  ctx.res.once('close', () => (gone = true));
  const stream = await movedEvents(listen);
  ctx.res.once('close', () => stream.destroy());
  if (gone) stream.destroy();
  ctx.type = 'text/event-stream';
  // A proxy that collects answers would hold the news back.
  ctx.set('X-Accel-Buffering', 'no');
  ctx.body = stream;
}

export function addEvents(gate: Gate, { news, logNews, pool }: ConsoleDeps): void {
  // By session: nothing has its id, so that only what moves anywhere is heard of.
  gate.stream('/console/events', (visit) => answer(visit, (listener) => news.listen(visit.session.id, listener)));
  gate.stream('/console/jobs/:job/events', async (visit) => {
    const job = await jobIdOf(pool, visit.ctx.params['job'] ?? '');
    await answer(visit, ({ moved, end }) => logNews.listen(job, { moved, end }));
  });
}
