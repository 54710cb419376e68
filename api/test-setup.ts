/** What the tests of the HTTP surface share: a database of their own and the API on a free port, as its own role. */
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { beginNextAttempt } from '../sql/queue.ts';
import { beginRunning, recordContainer, type AttemptRow } from '../sql/attempts.ts';
import { putCourse, type RightsRecord } from '../sql/courses.ts';
import { registerEngine } from '../sql/engines.ts';
import { heldStep, TEST_CAPACITY, TEST_LIMITS } from '../test/orders.ts';
import { hear } from '../sql/hear.ts';
import { oneMasterKey } from '../keys/master-keys.ts';
import type { Pool } from '../sql/pool.ts';
import { beginEnrol, confirmEnrol } from '../sql/steps.ts';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { makeApp, type AppDeps } from './app.ts';
import { makeMetrics, type Metrics } from './metrics.ts';
import { FOLLOWERS_OF_LOG_MAX, makeNews, type News } from './news.ts';
import { makeKeysInUse } from './operators/keys-in-use.ts';
import { makeOperations } from './operations.ts';
import { listen } from './server.ts';

export const BANK = { bin: '970422', accountNumber: '0123456789', accountName: 'LADING TEST' };
export const SECRETS = ['whsec_test_secret', 'whsec_test_secret_before'];
export const TOKEN_KEY = Buffer.alloc(32, 1);
export const MASTER_KEY = Buffer.alloc(32, 2);
export const COURSE = {
  id: 'handbook',
  title: 'The handbook',
  price_vnd: 499_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/handbook.json' },
  profile: 'standard',
} as const;
const OPEN_RIGHTS: RightsRecord = { kind: 'open', evidence: 'https://licence.example/handbook', recordedBy: 'a test' };

export type TestApi = {
  url: string;
  operationsUrl: string;
  database: TestDatabase;
  /** Reads everything, for looking at what was written. */
  auditor: Pool;
  orchestrator: Pool;
  registry: Registry;
  metrics: Metrics;
  news: News;
  logNews: News;
  /** Every line the API logged. */
  logged: Record<string, unknown>[];
  pool: Pool;
  stop: () => Promise<void>;
};

export async function startTestApi(changes: Partial<AppDeps> = {}): Promise<TestApi> {
  const database = await makeTestDatabase();
  const owner = database.poolFor('lading_owner');
  await putCourse(owner, COURSE, OPEN_RIGHTS);
  await putCourse(owner, { ...COURSE, id: 'unlicensed', title: 'Without rights' }, undefined);
  const logged: Record<string, unknown>[] = [];
  const sink = new Writable({
    write: (line: Buffer, _encoding, done) => {
      logged.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  const pool = database.poolFor('lading_api');
  const registry = new Registry();
  const log = pino({ level: 'debug' }, sink);
  const metrics = makeMetrics(registry);
  const onLost = (): void => undefined;
  const news = makeNews(() => hear(database.urlFor('lading_api'), ['lading_orders']), { onLost });
  const logNews = makeNews(() => hear(database.urlFor('lading_api'), ['lading_logs', 'lading_jobs']), {
    onLost,
    ofOneMax: FOLLOWERS_OF_LOG_MAX,
  });
  const app = makeApp({
    pool,
    log,
    metrics,
    desk: { bank: BANK, publicUrl: 'https://api.example', tokenKey: TOKEN_KEY },
    keysInUse: makeKeysInUse(),
    masterKeys: oneMasterKey(MASTER_KEY),
    sepayAuth: { mode: 'hmac', secrets: SECRETS },
    orderTtlMinutes: 60,
    news,
    logNews,
    requestsPerMinute: 1_000_000,
    ordersPerMinute: 1_000_000,
    ordersPerEmailPerHour: 1_000_000,
    trustedProxies: 0,
    ...changes,
  });
  const server = await listen(app.callback(), { host: '127.0.0.1', port: 0 });
  const operations = await listen(makeOperations({ pool: changes.pool ?? pool, log, registry }).callback(), {
    host: '127.0.0.1',
    port: 0,
  });
  return {
    url: server.url,
    operationsUrl: operations.url,
    database,
    auditor: database.poolFor('lading_auditor'),
    orchestrator: database.poolFor('lading_orchestrator'),
    registry,
    metrics,
    news,
    logNews,
    logged,
    pool,
    stop: async () => {
      await Promise.all([news.stop(), logNews.stop()]);
      await Promise.all([server.stop(), operations.stop()]);
      await database.drop();
    },
  };
}

const WRITTEN = [
  'orders',
  'payment_events',
  'payments',
  'events_not_understood',
  'jobs',
  'files',
  'signed_calls_seen',
] as const;

/** How many rows the API has written, table by table; and how many tasks wait. */
export async function countRows(api: TestApi): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of WRITTEN) {
    const { rows } = await api.auditor.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${name}`);
    counts[name] = rows[0]?.n ?? -1;
  }
  const { rows } = await api.orchestrator.query<{ n: number }>('SELECT count(*)::int AS n FROM graphile_worker.jobs');
  counts['tasks'] = rows[0]?.n ?? -1;
  return counts;
}

export const postOrder = (
  api: TestApi,
  body: unknown,
  headers: Record<string, string> = { 'Idempotency-Key': randomUUID() },
): Promise<Response> =>
  fetch(`${api.url}/v1/orders`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body:
      typeof body === 'string' || body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
  });

export type OrderAnswer = { code: string; token: string; status: string; amountVnd: number; statusUrl: string };

export async function placeTestOrder(api: TestApi): Promise<OrderAnswer> {
  const response = await postOrder(api, { courseId: COURSE.id, email: 'reader@mail.example' });
  if (response.status !== 201) throw new Error(`order: ${response.status} ${await response.text()}`);
  return (await response.json()) as OrderAnswer;
}

let beginning: Promise<unknown> = Promise.resolve();

/** The queue says which job is next; so jobs are let in one at a time, and those that others left wait longer. */
function beginAttemptOf(db: Pool, jobId: string): Promise<AttemptRow> {
  const begun = beginning.then(async () => {
    await confirmEnrol(db, await heldStep(db, jobId));
    await db.query(`UPDATE jobs SET next_task_at = 'infinity' WHERE state = 'enrolled' AND id <> $1`, [jobId]);
    const attempt = await beginNextAttempt(db, {
      id: randomUUID(),
      engine: 'test-engine',
      holder: 'a test',
      leaseSeconds: 30,
      profiles: { standard: TEST_LIMITS },
      image: 'sha256:test',
    });
    if (attempt?.job_id !== jobId) throw new Error(`job ${jobId} did not begin an attempt`);
    return attempt;
  });
  beginning = begun.catch(() => undefined);
  return begun;
}

/** Takes a paid order's job through the orchestrator's own moves to an attempt whose container is being made. */
export async function createAttempt(api: TestApi, orderCode: string): Promise<AttemptRow> {
  const { rows } = await api.auditor.query<{ id: string }>(
    'SELECT j.id FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1',
    [orderCode],
  );
  const jobId = rows[0]?.id ?? '';
  const db = api.orchestrator;
  await registerEngine(db, 'test-engine', TEST_CAPACITY);
  await beginEnrol(db, jobId, 30);
  return beginAttemptOf(db, jobId);
}

/** The attempt of a paid order, running. */
export async function runAttempt(api: TestApi, orderCode: string): Promise<AttemptRow> {
  const attempt = await createAttempt(api, orderCode);
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  await recordContainer(api.orchestrator, lease, `container-of-${attempt.id}`);
  const running = await beginRunning(api.orchestrator, lease);
  if (running === undefined) throw new Error('the attempt does not run');
  return running;
}
