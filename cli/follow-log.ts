/** The log of an attempt over the API. A stream that was cut is taken up again behind the last line that came. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { formatLine, parseLine, type LogLine } from '../sql/log-lines.ts';
import type { ApiClient, Query } from './api-client.ts';
import { CommandError, EXIT } from './exit.ts';
import { olderThan } from './since.ts';

/** A line is at most 256 KiB of text; escaped, some times that. */
const LINE_MAX_CHARS = 4 * 1024 * 1024;
/** A stream says something at least every 20 s, if only an empty line. */
const SILENCE_LIMIT_MS = 60_000;
const CUTS_MAX = 10;
const COME_AGAIN_MS = 1_000;

export type LogOptions = {
  attempt: number | undefined;
  follow: boolean;
  since: string | undefined;
  raw: boolean;
  json: boolean;
  reason: string | undefined;
};

/** Lines as they come; throws when one is longer than it may be, or nothing came for long. */
async function* linesOfStream(response: Response, gone: AbortController): AsyncGenerator<string> {
  let rest = '';
  const silence = setTimeout(() => gone.abort(), SILENCE_LIMIT_MS);
  try {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      silence.refresh();
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_MAX_CHARS)
        throw new CommandError(EXIT.bug, `a line is longer than ${LINE_MAX_CHARS} characters`);
      yield* lines;
    }
  } finally {
    clearTimeout(silence);
  }
}

const last = z.object({ over: z.boolean() });
const attemptList = z.object({ id: z.string(), attemptList: z.array(z.object({ n: z.int() })) });

/** Which attempt, said once: the last one may be another when a stream is taken up again. */
async function attemptOf(api: ApiClient, job: string, wanted: number | undefined): Promise<number> {
  const { id, attemptList: attempts } = attemptList.parse(await api.get(`/v1/jobs/${encodeURIComponent(job)}`));
  const n = wanted ?? attempts.at(-1)?.n;
  if (n === undefined || !attempts.some((one) => one.n === n))
    throw new CommandError(EXIT.no, `job ${id} has no attempt ${wanted ?? 'yet'}`);
  return n;
}

/** Until the log is over or `signal` is aborted; without `follow`, what is stored now. */
export async function* followLog(
  api: ApiClient,
  job: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const isOld = options.since === undefined ? () => false : olderThan(options.since, new Date());
  const attempt = await attemptOf(api, job, options.attempt);
  const show = (line: LogLine, json: string): string => (options.json ? `${json}\n` : formatLine(line, options.raw));
  let after = 0;
  for (let cuts = 0; cuts < CUTS_MAX; cuts += 1) {
    const gone = new AbortController();
    signal.addEventListener('abort', () => gone.abort(), { once: true });
    const wish: Query = { format: 'ndjson', attempt, after, follow: String(options.follow), reason: options.reason };
    try {
      const response = await api.open(`/v1/jobs/${encodeURIComponent(job)}/logs`, wish, gone.signal);
      for await (const json of linesOfStream(response, gone)) {
        if (json === '') continue;
        if (last.safeParse(JSON.parse(json)).success) return;
        const line = parseLine(json);
        after = line.n;
        cuts = 0;
        if (!isOld(line.t)) yield show(line, json);
      }
    } catch (error) {
      if (signal.aborted) return;
      // What the API refuses it refuses again; a connection that broke may be had again.
      if (error instanceof CommandError && error.code !== EXIT.away && error.code !== EXIT.later) throw error;
      if (error instanceof CommandError && after === 0 && cuts === 0) throw error;
    }
    if (signal.aborted) return;
    await sleep(COME_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
  throw new CommandError(
    EXIT.away,
    `the log of ${job} was cut ${CUTS_MAX} times without a new line; it stands at line ${after}`,
  );
}
