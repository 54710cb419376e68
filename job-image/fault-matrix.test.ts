/**
 * Whatever goes wrong on both sides, a job ends in one of two ways: what stands in Drive is what was announced, or nothing
 * is handed over and the cause is named. Each seed is a run of its own: `LADING_SEED=17` has run 17 again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEgress, tokenFor } from '../egress/test/start.ts';
import { deriveAttemptKey } from './contract/attempt-key.ts';
import type { Envelope } from './contract/envelope.ts';
import { EXIT, EXIT_OF_REASON, type EndReason } from './contract/exit-codes.ts';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { deliver } from './deliver.ts';
import { JobEnd } from './ending.ts';
import type { RetryLimits } from './retry.ts';
import { planOf, type Plan } from './test/fault-plan.ts';
import { startJobApi, type JobApi } from './test/job-api.ts';
import { DRIVE_ID, PROVIDER_TOKEN, startOutside, type Outside } from './test/outside.ts';

const SEEDS = process.env['LADING_TEST_ALL'] === undefined ? 10 : 200;
const SEEDS_OF_TEST = 10;
const only = process.env['LADING_SEED'];
const MIB = 1024 * 1024;
const CHUNK_BYTES = 8 * MIB;
const ATTEMPTS_MAX = 3;
const RUN_LIMIT_MS = 20_000;
const MASTER_KEY = Buffer.alloc(32, 'm');
/** As many tries as in production, with short waits. */
const RETRY: RetryLimits = { tries: 6, baseMs: 4, capMs: 40, retryAfterMaxSeconds: 1 };
const PERMANENT: readonly number[] = [EXIT.badInput, EXIT.notEntitled];

const COURSE: Record<string, Buffer> = {
  'Bài 1/Video: mở đầu.bin': randomBytes(17 * MIB + 3),
  'Bài 1/phụ đề.bin': randomBytes(6 * MIB),
  'b/c/d/x.bin': randomBytes(300_000),
  'empty.txt': Buffer.alloc(0),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`nhỏ/${i}.bin`, randomBytes(20_000)])),
};
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

type Files = Record<string, string>;
let outside: Outside;
let api: JobApi;
let egress: Awaited<ReturnType<typeof startEgress>>;
let coursesDir: string;
const expected: Partial<Record<Plan['provider'], Files>> = {
  manifest: Object.fromEntries(Object.entries(COURSE).map(([path, content]) => [path, sha256(content)])),
};
const tally = {
  delivered: {} as Record<string, number>,
  ended: {} as Record<string, number>,
  attempts: 0,
  sentBytes: 0,
  sentTwiceBytes: 0,
};

beforeAll(async () => {
  coursesDir = await mkdtemp(join(tmpdir(), 'fault-matrix-'));
  for (const [path, content] of Object.entries(COURSE)) {
    const to = join(coursesDir, 'matrix', path);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, content);
  }
  outside = await startOutside({ coursesDir });
  api = await startJobApi({ masterKey: MASTER_KEY, freshToken: () => outside.freshToken() });
  const hosts = [outside.googleUrl, outside.providerUrl].map((url) => new URL(url).host);
  egress = await startEgress({
    allow: hosts,
    hostMap: Object.fromEntries(hosts.map((host) => [host, host.replace('localhost', '127.0.0.1')])),
    apiUrl: api.url,
  });
  for (const [n, provider] of (['udemy', 'hls'] as const).entries()) {
    const seed = SEEDS + 1 + n;
    const calm = await run({ ...planOf(0), seed, onDrive: [], onProvider: [], provider, ...NOTHING_GOES });
    if (typeof calm.end === 'string') throw new Error(`${provider} without any fault: ${calm.end} ${calm.detail}`);
    expected[provider] = calm.end;
  }
}, 60_000);
const NOTHING_GOES = {
  apiRefusals: [],
  sessionsGoneAtPut: undefined,
  tokensGoneAtPut: undefined,
  killedAtPut: undefined,
} as const;
afterAll(async () => {
  await egress.stop();
  await api.stop();
  await outside.stop();
  await rm(coursesDir, { recursive: true });
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  process.stderr.write(
    `fault matrix: delivered ${JSON.stringify(tally.delivered)}, ended ${JSON.stringify(tally.ended)}, ${tally.attempts} attempts, ` +
      `${mb(tally.sentBytes)} sent, of these ${mb(tally.sentTwiceBytes)} twice\n`,
  );
});

const uuid = (seed: number, n: number): string =>
  `0199a3c0-${String(n).padStart(4, '0')}-7000-8000-${String(seed).padStart(12, '0')}`;

const bearer = PROVIDER_TOKEN;
const SOURCES: Record<Plan['provider'], (url: string) => Envelope['source']> = {
  manifest: (url) => ({ provider: 'manifest', manifestUrl: `${url}/courses/matrix/manifest.json`, bearer }),
  udemy: (apiUrl) => ({ provider: 'udemy', apiUrl, courseId: 1, bearer }),
  hls: (url) => ({ provider: 'hls', courseUrl: `${url}/courses/hls/course.json`, bearer }),
};

async function envelopeOf(plan: Plan, n: number): Promise<Envelope> {
  const [jobId, attemptId] = [uuid(plan.seed, 0), uuid(plan.seed, n)];
  const { providerUrl, googleUrl, caPem } = outside;
  return {
    jobId,
    attemptId,
    attemptNumber: n,
    deadlineAt: '2030-01-01T00:00:00Z',
    course: { id: 'matrix', title: 'matrix' },
    source: SOURCES[plan.provider](providerUrl),
    drive: {
      apiUrl: googleUrl,
      accessToken: await outside.freshToken(),
      parentFolderId: DRIVE_ID,
      folderName: `Run ${plan.seed}`,
    },
    egressToken: tokenFor(attemptId),
    attemptKey: deriveAttemptKey(MASTER_KEY, attemptId),
    resumeKey: deriveResumeKey(MASTER_KEY, jobId),
    extraCaPem: caPem,
    parallelFiles: 4,
  };
}

type Ending = { end: Files | EndReason; detail: string; receivedBytes: number; attempts: number };

/** All attempts of one job, as orchestrators would make them. */
async function run(plan: Plan): Promise<Ending> {
  api.sessions.clear();
  api.manifests.length = 0;
  api.refusals.splice(0, Infinity, ...plan.apiRefusals);
  await outside.clearFaults();
  const before = await outside.driveReceivedBytes();
  const kill = new AbortController();
  const onPut = (at: number | undefined, act: () => Promise<unknown>): void => {
    if (at !== undefined) outside.onDrive('PUT', '/upload/', act, at);
  };
  onPut(plan.sessionsGoneAtPut, () => outside.expireSessions());
  onPut(plan.tokensGoneAtPut, () => outside.expireTokens());
  onPut(plan.killedAtPut, () => Promise.resolve(kill.abort(new Error('killed'))));
  for (const { fault } of plan.onDrive) await outside.driveFault(fault);
  for (const { fault } of plan.onProvider) await outside.providerFault(fault);

  let last: JobEnd | undefined;
  let attempts = 0;
  while (attempts < ATTEMPTS_MAX) {
    attempts += 1;
    const limit = AbortSignal.timeout(RUN_LIMIT_MS);
    const signal = attempts === 1 ? AbortSignal.any([kill.signal, limit]) : limit;
    const ignore = (): void => undefined;
    try {
      const envelope = await envelopeOf(plan, attempts);
      await deliver(envelope, { egressSocket: egress.socketPath, say: ignore, onSecret: ignore, signal, retry: RETRY });
      break;
    } catch (error) {
      if (error instanceof JobEnd) last = error;
      else if (!kill.signal.aborted || attempts > 1) throw error;
      if (error instanceof JobEnd && PERMANENT.includes(EXIT_OF_REASON[error.reason])) break;
    }
  }
  await outside.clearFaults();
  const receivedBytes = (await outside.driveReceivedBytes()) - before;
  const [manifest, ...more] = api.manifests;
  expect(more).toEqual([]);
  if (manifest === undefined)
    return { end: last?.reason ?? 'terminated', detail: last?.message ?? 'killed', receivedBytes, attempts };
  const root = `Run ${plan.seed}/`;
  const there = (await outside.driveFiles()).filter(
    ({ path, size, trashed }) => path.startsWith(root) && size !== null && !trashed,
  );
  const handed = manifest.files.map(({ path, driveId, sha256: sum, bytes }) => [root + path, driveId, sum, bytes]);
  expect(new Set(there.map(({ path, id, sha256: sum, size }) => [path, id, sum, size]))).toEqual(new Set(handed));
  return {
    end: Object.fromEntries(manifest.files.map(({ path, sha256: sum }) => [path, sum])),
    detail: '',
    receivedBytes,
    attempts,
  };
}

async function judged(seed: number): Promise<void> {
  const plan = planOf(seed);
  const ending = await run(plan).catch((cause: unknown) => {
    throw new Error(`seed ${seed}: ${JSON.stringify(plan)}`, { cause });
  });
  const about = { seed, plan, detail: ending.detail };
  tally.attempts += ending.attempts;
  tally.sentBytes += ending.receivedBytes;
  if (typeof ending.end === 'string') {
    const end = `${plan.provider} ${ending.end}`;
    tally.ended[end] = (tally.ended[end] ?? 0) + 1;
    expect({ ...about, cause: ending.end, explained: plan.ends.has(ending.end) }).toEqual({
      ...about,
      cause: ending.end,
      explained: true,
    });
    expect({ ...about, detail: ending.detail }).not.toEqual({ ...about, detail: '' });
    return;
  }
  tally.delivered[plan.provider] = (tally.delivered[plan.provider] ?? 0) + 1;
  expect({ ...about, files: ending.end }).toEqual({ ...about, files: expected[plan.provider] });
  if (plan.provider !== 'manifest') return;
  const total = Object.values(COURSE).reduce((sum, { length }) => sum + length, 0);
  const sentTwice = ending.receivedBytes - total;
  tally.sentTwiceBytes += sentTwice;
  const isKillAlone = plan.onDrive.length + plan.onProvider.length === 0 && plan.sessionsGoneAtPut === undefined;
  if (isKillAlone) expect({ ...about, sentTwice, isFew: sentTwice <= 2 * CHUNK_BYTES }).toMatchObject({ isFew: true });
}

const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(only)];
const groups = Array.from({ length: Math.ceil(seeds.length / SEEDS_OF_TEST) }, (_, i) =>
  seeds.slice(i * SEEDS_OF_TEST, (i + 1) * SEEDS_OF_TEST),
);
test.each(groups.map((group) => [group[0], group.at(-1), group] as const))(
  'runs %s to %s end with what was announced, or with a cause',
  async (_from, _to, group) => {
    for (const seed of group) await judged(seed);
  },
);
