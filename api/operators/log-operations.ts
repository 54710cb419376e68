import { z } from 'zod';
import { logReadsOfJob } from '../../sql/log-reports.ts';
import { attemptsOfJob } from '../../sql/reports.ts';
import { operation } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { attemptNumber, instant, iso, jobParam, words } from './fields.ts';
import { jobIdOf } from './intervention-operations.ts';
import { hearGrowth, logStream, type LogWish } from './log-stream.ts';

const READS_LISTED_MAX = 500;
const RETRY_AFTER_SECONDS = 10;
const TYPES = { text: 'text/plain; charset=utf-8', ndjson: 'application/x-ndjson' } as const;

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
    after: z.coerce
      .number()
      .pipe(z.int().min(0).max(Number.MAX_SAFE_INTEGER))
      .optional()
      .describe('Nothing up to this line.'),
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
    const jobId = await jobIdOf(pool, params.job);
    const attempts = await attemptsOfJob(pool, jobId);
    const attempt = query.attempt === undefined ? attempts.at(-1) : attempts.find(({ n }) => n === query.attempt);
    if (!attempt) throw new Problem('attempt_unknown');
    const follow = query.follow === 'true';
    const format = query.format ?? 'text';
    const via = `api${follow ? ', follow' : ''}, key lk_${caller.prefix}`;
    const reading = { person: caller.name, via, reason: query.reason };
    const wish: LogWish = { attemptId: attempt.id, jobId, after: query.after ?? 0, format, reading };
    const giveBack = follow ? follows.take(caller.keyId) : () => undefined;
    if (!giveBack)
      throw new Problem('too_many_follows', undefined, { headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } });
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
