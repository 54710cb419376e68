/** Logs over HTTP: whole, in two formats, followed by notification, bounded, and never read without a trace. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { madeLog, storeChunks } from '../../cli/test-log.ts';
import { settle, type AttemptRow } from '../../sql/attempts.ts';
import type { KeyRole } from '../../sql/api-keys.ts';
import { makeWorld, runningTestAttempt, type World } from '../../test/orders.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { logStream } from './log-stream.ts';
import { SEARCHED_CHUNKS_MAX } from './log-window.ts';
import { makeCall, type Call } from './test-keys.ts';

let api: TestApi;
let world: World;
let call: Call;
let keys: Record<KeyRole, string>;
beforeAll(async () => {
  api = await startTestApi();
  world = await makeWorld(api.database);
  ({ call, keys } = await makeCall(api));
});
afterAll(() => api.stop());

const TEXTS = [['one', 'two \u001b[2J'], ['three'], ['four', 'five']];
const end = (attempt: AttemptRow): Promise<unknown> =>
  settle(
    world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'bug', detail: 'test', exitCode: 70, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason: 'attempts_exhausted', detail: 'test' },
  );
async function loggedAttempt(texts = TEXTS): Promise<AttemptRow> {
  const { attempt } = await runningTestAttempt(world);
  await storeChunks(world.orchestrator, attempt, madeLog(texts).chunks);
  return attempt;
}

const open = (attempt: AttemptRow, query: string, signal?: AbortSignal, role: KeyRole = 'auditor'): Promise<Response> =>
  fetch(`${api.url}/v1/jobs/${attempt.job_id}/logs?${query}`, {
    headers: { Authorization: `Bearer ${keys[role]}` },
    ...(signal && { signal }),
  });
const read = async (attempt: AttemptRow, query: string): Promise<string> => (await open(attempt, query)).text();
/** What comes, line by line. */
async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
const readers = async (): Promise<object[]> =>
  (await api.auditor.query<object>('SELECT person, via, reason, from_seq, to_seq FROM log_reads ORDER BY id')).rows;

describe('a log', () => {
  test('is text for people and lines for programs, from a line on, and says whether it is over', async () => {
    const attempt = await loggedAttempt();
    const text = await open(attempt, '');
    expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect((await text.text()).split('\n').map((line) => line.slice(31))).toEqual([
      'out one',
      'out two \\u001b[2J',
      'out three',
      'out four',
      'out five',
      '',
    ]);
    const lines = (await read(attempt, 'format=ndjson')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      ...TEXTS.flat().map((l, i) => ({ n: i + 1, s: 'o', l })),
      { over: false },
    ]);
    for (const [after, rest] of [
      [1, 4],
      [2, 3],
      [4, 1],
      [5, 0],
      [99, 0],
    ] as const)
      expect((await read(attempt, `format=ndjson&after=${after}`)).trimEnd().split('\n')).toHaveLength(rest + 1);
    await end(attempt);
    expect(await read(attempt, 'format=ndjson&after=5')).toBe('{"over":true}\n');
  });

  test('is read by operators and auditors, and each read is recorded before anything is given', async () => {
    const attempt = await loggedAttempt();
    const before = (await readers()).length;
    expect((await open(attempt, '', undefined, 'shop')).status).toBe(403);
    await read(attempt, 'reason=complaint%2017&attempt=1');
    const via = expect.stringMatching(/^api, key lk_[a-z2-7]{8}$/) as unknown;
    expect((await readers()).slice(before)).toEqual([
      { person: 'the auditor', via, reason: 'complaint 17', from_seq: 0, to_seq: 2 },
    ]);
    expect((await call('GET', `/v1/jobs/${attempt.job_id}/log-reads`, undefined, 'auditor')).body).toMatchObject({
      reads: [{ attempt: 1, reader: 'lading_api', person: 'the auditor', reason: 'complaint 17', times: 1 }],
    });
  });

  test('of an attempt that is not there is not, and its questions have limits', async () => {
    const attempt = await loggedAttempt();
    expect(await (await open(attempt, 'attempt=2')).json()).toMatchObject({ code: 'attempt_unknown' });
    for (const query of [
      'attempt=0',
      'attempt=10000',
      'after=-1',
      'format=xml',
      'follow=1',
      `reason=${'x'.repeat(1_001)}`,
    ])
      expect((await open(attempt, query)).status).toBe(422);
  });
});

describe('a log that is followed', () => {
  test('comes as it grows, and ends with its attempt', async () => {
    const { attempt } = await runningTestAttempt(world);
    const { chunks } = madeLog(TEXTS);
    const lines = linesOf(await open(attempt, 'format=ndjson&follow=true'));
    for (const chunk of chunks) {
      await storeChunks(world.orchestrator, attempt, [chunk]);
      for (let i = 0; i < chunk.line_count; i += 1)
        expect(JSON.parse(String((await lines.next()).value))).toMatchObject({ n: chunk.first_line + i });
    }
    await end(attempt);
    expect([await lines.next(), await lines.next()]).toEqual([
      { done: false, value: '{"over":true}' },
      { done: true, value: undefined },
    ]);
  });

  test('is followed five times at once by a key, and no more; who leaves makes room', async () => {
    const attempt = await loggedAttempt();
    const gone = Array.from({ length: 5 }, () => new AbortController());
    const streams = await Promise.all(gone.map(({ signal }) => open(attempt, 'follow=true&format=ndjson', signal)));
    const followers = streams.map(linesOf);
    for (const follower of followers) await follower.next();
    const refused = await open(attempt, 'follow=true');
    expect([refused.status, await refused.json()]).toEqual([
      429,
      expect.objectContaining({ code: 'too_many_follows' }),
    ]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    // Another key, and reading without following, are not concerned.
    const other = new AbortController();
    expect((await open(attempt, 'follow=true', other.signal, 'operator')).status).toBe(200);
    expect((await open(attempt, '')).status).toBe(200);
    other.abort();
    gone[0]?.abort();
    const again = new AbortController();
    let status = 429;
    while (status === 429) status = (await open(attempt, 'follow=true', again.signal)).status;
    expect(status).toBe(200);
    for (const one of [...gone, again]) one.abort();
    while (api.logNews.listeners() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('is cut, without a last word, when nobody listens any more; it goes on behind the last line', async () => {
    const attempt = await loggedAttempt();
    const lines = linesOf(await open(attempt, 'format=ndjson&follow=true'));
    for (const _ of TEXTS.flat()) await lines.next();
    await api.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'lading api, listening'`);
    expect((await lines.next()).done).toBe(true);
    await end(attempt);
    expect(await read(attempt, 'format=ndjson&follow=true&after=4')).toMatch(/^\{"n":5,.*\}\n\{"over":true\}\n$/);
  });
});

test('a reader who does not read is let go, and only a few pages were taken for him', async () => {
  const texts = Array.from({ length: 40 }, () => [randomBytes(128 * 1024).toString('hex')]);
  const attempt = await loggedAttempt(texts);
  const before = (await readers()).length;
  const reading = { person: 'a slow one', via: 'a test', reason: undefined };
  const wish = { attemptId: attempt.id, jobId: attempt.job_id, after: 0, format: 'text', reading } as const;
  let done = 0;
  const stream = logStream(api.pool, wish, undefined, () => (done += 1), 300);
  await once(stream, 'readable');
  stream.read(1);
  await once(stream, 'close');
  expect([stream.readableEnded, done]).toEqual([false, 1]);
  expect((await readers()).length - before).toBeLessThanOrEqual(2);
});

describe('a window into a log', () => {
  const lines = async (attempt: AttemptRow, query: string) =>
    (await call('GET', `/v1/jobs/${attempt.job_id}/log-lines?${query}`, undefined, 'auditor')).body as {
      lines: { n: number; text: string; level: string }[];
      seenTo: number;
      more: boolean;
      linesStored: number;
      over: boolean;
    };
  const numbers = (found: { lines: { n: number }[] }): number[] => found.lines.map(({ n }) => n);

  test('is the last lines, or those behind one, and says whether there are more; control characters are shown', async () => {
    const attempt = await loggedAttempt();
    const last = await lines(attempt, 'limit=2');
    expect([numbers(last), last.more, last.linesStored, last.over]).toEqual([[4, 5], false, 5, false]);
    const first = await lines(attempt, 'after=0&limit=3');
    expect([numbers(first), first.more, first.seenTo]).toEqual([[1, 2, 3], true, 3]);
    expect(first.lines[1]?.text).toBe('two \\u001b[2J');
    expect(numbers(await lines(attempt, 'after=3'))).toEqual([4, 5]);
    expect(await lines(attempt, 'after=5')).toMatchObject({ lines: [], more: false, seenTo: 5 });
  });

  test('holds what was searched for, whatever its case; a search ends at its limit and says where to go on', async () => {
    const texts = Array.from({ length: SEARCHED_CHUNKS_MAX + 2 }, (_, i) => [
      `line ${i}`,
      i % 40 === 0 ? 'A "Needle"' : 'hay',
    ]);
    const attempt = await loggedAttempt(texts);
    const found = await lines(attempt, 'search=%22needle%22');
    expect([numbers(found), found.more, found.seenTo]).toEqual([[2, 82], true, 2 * SEARCHED_CHUNKS_MAX]);
    const rest = await lines(attempt, `search=needle&after=${found.seenTo}`);
    expect([numbers(rest), rest.more]).toEqual([[], false]);
    expect(numbers(await lines(attempt, 'search=needle&limit=1'))).toEqual([2]);
  });

  test('has limits, and leaves a trace', async () => {
    const attempt = await loggedAttempt();
    const before = (await readers()).length;
    await lines(attempt, 'after=4');
    expect((await readers()).slice(before)).toMatchObject([{ person: 'the auditor', from_seq: 2, to_seq: 2 }]);
    for (const query of ['limit=0', 'limit=1001', 'after=-1', 'search=', `search=${'x'.repeat(201)}`, 'attempt=0'])
      expect(await lines(attempt, query)).toMatchObject({ code: 'request_invalid' });
  });
});

describe('the proof of a log over HTTP', () => {
  const proof = async (attempt: AttemptRow) =>
    (await call('GET', `/v1/jobs/${attempt.job_id}/log-proof`, undefined, 'auditor')).body;

  test('says whether it is whole so far, and what is wrong with one that was changed', async () => {
    const attempt = await loggedAttempt();
    expect(await proof(attempt)).toMatchObject({ status: 'running', lines: 5, chunks: 3, faults: [] });
    const { attempt: other } = await runningTestAttempt(world);
    const [first, ...rest] = madeLog(TEXTS).chunks;
    if (first) await storeChunks(world.orchestrator, other, [{ ...first, hash: randomBytes(32) }, ...rest]);
    expect(await proof(other)).toMatchObject({
      status: 'broken',
      faults: ['chunk 0: hash differs', 'chunk 1: hash differs'],
    });
  });
});
