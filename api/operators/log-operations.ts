import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { visible } from '../../sql/log-lines.ts';
import { startProof } from '../../sql/log-proof.ts';
import { logReadsOfJob } from '../../sql/log-reports.ts';
import { findLogEnd, isLogOver, readLog, storedLines, type Reading } from '../../sql/logs.ts';
import type { Pool } from '../../sql/pool.ts';
import { attemptsOfJob, type AttemptReport } from '../../sql/reports.ts';
import { operation } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { attemptNumber, instant, iso, jobParam, words } from './fields.ts';
import { jobIdOf } from './intervention-operations.ts';
import type { Caller } from './authenticate.ts';
import { LOG_LEVELS, levelOf } from './log-level.ts';
import { logWindow } from './log-window.ts';
import { hearGrowth, logStream, type LogWish } from './log-stream.ts';

const READS_LISTED_MAX = 500;
const RETRY_AFTER_SECONDS = 10;
const TYPES = { text: 'text/plain; charset=utf-8', ndjson: 'application/x-ndjson' } as const;

const lineNumber = z.coerce.number().pipe(z.int().min(0).max(Number.MAX_SAFE_INTEGER));

const tooManyFollows = (): Problem =>
  new Problem('too_many_follows', undefined, { headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } });

/** Which attempt is meant, and who reads its log, for the record. Throws `job_unknown` or `attempt_unknown`. */
async function readingOf(
  pool: Pool,
  caller: Caller,
  job: string,
  n: number | undefined,
  { follow, reason }: { follow?: 'true' | 'false' | undefined; reason?: string | undefined } = {},
): Promise<{ attempt: AttemptReport; jobId: string; reading: Reading }> {
  const jobId = await jobIdOf(pool, job);
  const attempts = await attemptsOfJob(pool, jobId);
  const attempt = n === undefined ? attempts.at(-1) : attempts.find((one) => one.n === n);
  if (!attempt) throw new Problem('attempt_unknown');
  const by = caller.sessionId === undefined ? 'api' : 'console';
  const via = `${by}${follow === 'true' ? ', follow' : ''}, key lk_${caller.prefix}`;
  return { attempt, jobId, reading: { person: caller.name, via, reason } };
}

export const readLogs = operation({
  method: 'get',
  path: '/v1/jobs/{job}/logs',
  summary: 'The log of one attempt. Each read is recorded with the name of the key',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  params: jobParam,
  query: z.strictObject({
    attempt: attemptNumber.optional().describe('Which; default: the last.'),
    format: z.enum(['text', 'ndjson']).optional().describe('Default: text, without control characters.'),
    follow: z.enum(['true', 'false']).optional().describe('Go on with what is said from now, until the log is over.'),
    after: lineNumber.optional().describe('Nothing up to this line.'),
    reason: words.optional().describe('Why you read it; stays in the record.'),
  }),
  answer: z
    .any()
    .describe(
      'text: a line each. ndjson: {n: line, t: time of the engine, s: "o" or "e", l: text, c: 1 where the line goes on, ' +
        'g: 1 where lines before it are lost}, empty lines while nothing is said, and {over: …} at the end; without ' +
        'that line the stream was cut: come again with `after`.',
    ),
  media: ['text/plain', 'application/x-ndjson'],
  problems: ['job_unknown', 'attempt_unknown', 'too_many_follows', 'too_many_listeners'],
  act: async ({ pool, logNews, follows, caller, ctx, params, query }) => {
    const follow = query.follow === 'true';
    const format = query.format ?? 'text';
    const { attempt, jobId, reading } = await readingOf(pool, caller, params.job, query.attempt, query);
    const wish: LogWish = { attemptId: attempt.id, jobId, after: query.after ?? 0, format, reading };
    const giveBack = follow ? follows.take(caller.keyId) : () => undefined;
    if (!giveBack) throw tooManyFollows();
    // Not the stream's own end: that comes only when what is waited for in it has come.
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    try {
      const growth = follow ? await hearGrowth(logNews, wish, gone.signal) : undefined;
      const stream = logStream(pool, wish, growth, giveBack);
      ctx.set('Content-Type', TYPES[format]);
      // A proxy that collects answers would hold the lines back.
      ctx.set('X-Accel-Buffering', 'no');
      ctx.status = 200;
      // Also where nothing was said yet.
      ctx.flushHeaders();
      return stream;
    } catch (error) {
      giveBack();
      throw error;
    }
  },
});

const LINES_MAX = 1_000;
const LINES_DEFAULT = 500;
const SEARCH_MAX_CHARS = 200;

export const showLogLines = operation({
  method: 'get',
  path: '/v1/jobs/{job}/log-lines',
  summary:
    'A few lines of the log of one attempt, from a line on, and those only that hold a text. Each read is recorded',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  params: jobParam,
  query: z.strictObject({
    attempt: attemptNumber.optional().describe('Which; default: the last.'),
    after: lineNumber.optional().describe('From the line behind this one; default: the last lines.'),
    limit: z.coerce.number().pipe(z.int().min(1).max(LINES_MAX)).optional(),
    search: z.string().min(1).max(SEARCH_MAX_CHARS).optional().describe('Case does not matter.'),
  }),
  answer: z.strictObject({
    attempt: z.int(),
    lines: z.array(
      z.strictObject({
        n: z.int(),
        at: z.string(),
        stream: z.enum(['out', 'err']),
        level: z.enum(LOG_LEVELS).describe('By what the line says of itself.'),
        text: z.string().describe('Without control characters.'),
        goesOn: z.boolean().describe('The next line of the stream belongs to it.'),
        afterGap: z.boolean().describe('Lines before it are lost.'),
      }),
    ),
    linesStored: z.int(),
    linesCut: z.int().describe('Counted and not kept: the attempt had said too much.'),
    seenTo: z.int().describe('Everything up to this line was looked at; go on with it as `after`.'),
    more: z.boolean(),
    over: z.boolean().describe('Nothing more will be stored.'),
  }),
  problems: ['job_unknown', 'attempt_unknown'],
  act: async ({ pool, caller, params, query }) => {
    const { attempt, reading } = await readingOf(pool, caller, params.job, query.attempt);
    const { limit = LINES_DEFAULT, search = '' } = query;
    const [over, end, linesStored] = await Promise.all([
      isLogOver(pool, attempt.id),
      findLogEnd(pool, attempt.id),
      storedLines(pool, attempt.id),
    ]);
    const after = query.after ?? (search === '' ? Math.max(0, linesStored - limit) : 0);
    const window = await logWindow(pool, attempt.id, reading, { after, limit, search });
    return {
      attempt: attempt.n,
      lines: window.lines.map((line) => ({
        n: line.n,
        at: line.t,
        stream: line.s === 'e' ? ('err' as const) : ('out' as const),
        level: levelOf(line),
        text: visible(line.l),
        goesOn: line.c === 1,
        afterGap: line.g === 1,
      })),
      linesStored,
      linesCut: end?.lines_cut ?? 0,
      seenTo: window.seenTo,
      more: window.more,
      over,
    };
  },
});

const PROOF_PAGE_CHUNKS = 16;

export const proveLog = operation({
  method: 'get',
  path: '/v1/jobs/{job}/log-proof',
  summary: 'Whether the stored log of one attempt is complete and unchanged. All of it is read, and that is recorded',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  params: jobParam,
  query: z.strictObject({ attempt: attemptNumber.optional().describe('Which; default: the last.') }),
  answer: z.strictObject({
    attempt: z.int(),
    status: z.enum(['ok', 'running', 'broken']),
    chunks: z.int(),
    lines: z.int(),
    linesCut: z.int(),
    gaps: z.int(),
    finalHash: z.string(),
    faults: z.array(z.string()),
  }),
  problems: ['job_unknown', 'attempt_unknown', 'too_many_follows'],
  act: async ({ pool, follows, caller, params, query }) => {
    const { attempt, reading } = await readingOf(pool, caller, params.job, query.attempt);
    const giveBack = follows.take(caller.keyId);
    if (!giveBack) throw tooManyFollows();
    try {
      // The end before the chunks: once it is there, no chunk comes after it.
      const end = await findLogEnd(pool, attempt.id);
      const proof = startProof();
      for (let next = 0; ;) {
        const page = await readLog(pool, attempt.id, next, PROOF_PAGE_CHUNKS, reading);
        for (const chunk of page) {
          proof.take(chunk);
          // Each takes some milliseconds, in which nobody else is answered.
          await setImmediate();
        }
        const last = page.at(-1);
        if (last === undefined) break;
        next = last.seq + 1;
      }
      const ran = attempt.running_at !== null;
      const { status, chunks, lines, lines_cut, gaps, final_hash, faults } = proof.finish(
        { settled: attempt.settled_at !== null, ran },
        end,
      );
      return { attempt: attempt.n, status, chunks, lines, linesCut: lines_cut, gaps, finalHash: final_hash, faults };
    } finally {
      giveBack();
    }
  },
});

export const listLogReads = operation({
  method: 'get',
  path: '/v1/jobs/{job}/log-reads',
  summary: 'Who read the logs of a job, the latest first',
  roles: ['operator', 'auditor'],
  params: jobParam,
  answer: z.strictObject({
    reads: z.array(
      z.strictObject({
        attempt: z.int(),
        reader: z.string().describe('The role of the database.'),
        person: z.string(),
        address: z.string().nullable(),
        via: z.string(),
        reason: z.string().nullable(),
        fromChunk: z.int(),
        toChunk: z.int(),
        times: z.int(),
        firstAt: instant,
        lastAt: instant,
      }),
    ),
  }),
  problems: ['job_unknown'],
  act: async ({ pool, params }) => {
    const reads = await logReadsOfJob(pool, await jobIdOf(pool, params.job), READS_LISTED_MAX);
    return {
      reads: reads.map((read) => ({
        attempt: read.n,
        reader: read.reader,
        person: read.person,
        address: read.address,
        via: read.via,
        reason: read.reason,
        fromChunk: read.from_seq,
        toChunk: read.to_seq,
        times: read.reads,
        firstAt: iso(read.first_at),
        lastAt: iso(read.last_at),
      })),
    };
  },
});
