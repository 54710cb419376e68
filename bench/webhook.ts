/**
 * Authentic webhooks, each of which pays an order in full, that the API answers durably in a second; beside it pgbench
 * with the same statements, as the same role, on the same Postgres, in turns.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startPostgres, urlAs } from '../sandbox/postgres.ts';
import { startProcess } from '../sandbox/process.ts';
import { authHeaders } from '../sandbox/sepay/sign.ts';
import { makeTransfer, transferRequestSchema } from '../sandbox/sepay/transfer.ts';
import { putCourse } from '../sql/courses.ts';
import { migrate, SERVICE_ROLES, type ServiceRole } from '../sql/migrate.ts';
import { makePool, type Pool } from '../sql/pool.ts';
import { rounded, spreadOf } from './statistics.ts';
import { say } from './world.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const ACCOUNT = '0123456789';
const PRICE_VND = 499_000;
/** Connections to Postgres: those of the API's pool, and as many clients of pgbench. */
const CONNECTIONS = 10;
/** Webhooks at once. */
const AT_ONCE = CONNECTIONS;
const WARM_UP_SECONDS = 2;
/** Orders of one round: numbers up to this many a client, more than either side gets through. */
const ORDERS_A_CLIENT = 100_000;
/** Webhooks of each client that are signed before the clock runs. */
const READY_A_SECOND = 150;
const DEBIAN_POSTGRES = '/usr/lib/postgresql';

function pgbenchPath(): string {
  const versions = existsSync(DEBIAN_POSTGRES) ? readdirSync(DEBIAN_POSTGRES) : [];
  const paths = versions.map((version) => join(DEBIAN_POSTGRES, version, 'bin/pgbench')).filter(existsSync);
  const path = paths.at(-1);
  if (path === undefined) throw new Error('pgbench is not there: start this with ./script/bench');
  return path;
}

/** The n-th order's code: ten digits, of which 0 and 1 have other names in a code. */
const codeOf = (n: number): string => `LD${String(n).padStart(10, '0').replaceAll('0', 'A').replaceAll('1', 'B')}`;

/** Orders `first` … `first + count - 1`, for each client from its own hundred thousand. */
async function makeOrders(pool: Pool, base: number, perClient: number): Promise<void> {
  await pool.query(
    `INSERT INTO orders (code, course_id, email, amount_vnd, idempotency_key_digest, request_digest, expires_at)
     SELECT 'LD' || translate(lpad(n::text, 10, '0'), '01', 'AB'), 'bench', 'reader' || n || '@mail.example',
            ${PRICE_VND}, sha256(n::text::bytea), sha256(n::text::bytea), now() + interval '1 day'
     FROM generate_series(0, ${AT_ONCE - 1}) client, generate_series(1, $2::int) i,
          LATERAL (SELECT $1::bigint + client * ${ORDERS_A_CLIENT} + i AS n) number`,
    [base, perClient],
  );
  // As autovacuum would, in its time: connections that stay would else keep plans made for empty tables.
  await pool.query('ANALYZE');
  await pool.query('CHECKPOINT');
}

/** How the API says that it has the money. */
const TAKEN = '{"success":true}';
/** Any other answer, all of it. */
function isWhole(said: string): boolean {
  const head = said.indexOf('\r\n\r\n');
  const length = /^content-length: (\d+)/im.exec(said)?.[1];
  return head >= 0 && length !== undefined && said.length >= head + 4 + Number(length);
}

type Sent = { perSecond: number; latenciesMs: number[] };

/** One kept-alive connection without an HTTP library: what measures runs on the same processors as what is measured. */
async function openClient(url: URL): Promise<{ send: (request: string) => Promise<string>; close: () => void }> {
  const socket = connect(Number(url.port), url.hostname).setNoDelay().setEncoding('utf8');
  await once(socket, 'connect');
  let said = '';
  let wake: (error?: Error) => void = () => undefined;
  socket.on('data', (part: string) => {
    said += part;
    if (said.endsWith(TAKEN) || isWhole(said)) wake();
  });
  socket.on('error', (error) => wake(error)).on('close', () => wake(new Error('the API closed the connection')));
  return {
    send: async (request) => {
      const answered = new Promise<void>((resolve, reject) => {
        wake = (error) => (error ? reject(error) : resolve());
      });
      said = '';
      socket.write(request);
      await answered;
      return said;
    },
    close: () => {
      wake = () => undefined;
      socket.destroy();
    },
  };
}

const TEMPLATE = makeTransfer(
  transferRequestSchema.parse({ accountNumber: ACCOUNT, amount: PRICE_VND, content: 'chuyen tien' }),
  { nextId: 1, now: new Date(), codePattern: undefined },
);

/** The request for the n-th order, signed now: SePay signs on its own processors. */
function requestFor(n: number, secret: string): string {
  const body = JSON.stringify({ ...TEMPLATE, id: n, content: `${codeOf(n)} chuyen tien` });
  const headers = authHeaders({ mode: 'hmac', secret }, Math.floor(Date.now() / 1_000), body);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `POST /webhooks/sepay HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n${lines.join('')}\r\n${body}`
  );
}

async function sendWebhooks(url: URL, secret: string, base: number, seconds: number): Promise<Sent> {
  const latenciesMs: number[] = [];
  const numberOf = (client: number, i: number): number => base + client * ORDERS_A_CLIENT + i;
  const ready = Array.from({ length: AT_ONCE }, (_, client) =>
    Array.from({ length: seconds * READY_A_SECOND }, (_unused, i) => requestFor(numberOf(client, i + 1), secret)),
  );
  const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => openClient(url)));
  const startedAt = performance.now();
  const work = async (client: (typeof clients)[number], number: number): Promise<void> => {
    for (let i = 1; performance.now() - startedAt < seconds * 1_000; i += 1) {
      const request = ready[number]?.[i - 1] ?? requestFor(numberOf(number, i), secret);
      const sentAt = performance.now();
      const answer = await client.send(request);
      latenciesMs.push(performance.now() - sentAt);
      if (!answer.startsWith('HTTP/1.1 200 ') || !answer.endsWith(TAKEN)) throw new Error(answer);
    }
  };
  await Promise.all(clients.map(work));
  const perSecond = latenciesMs.length / ((performance.now() - startedAt) / 1_000);
  for (const client of clients) client.close();
  return { perSecond, latenciesMs };
}

async function runPgbench(databaseUrl: string, base: number, seconds: number): Promise<number> {
  const url = new URL(databaseUrl);
  const { stdout } = await promisify(execFile)(
    pgbenchPath(),
    ['--no-vacuum', '--protocol=extended', `--client=${CONNECTIONS}`, '--jobs=2', `--time=${seconds}`, '-D', 'i=0']
      .concat(['-D', `base=${base}`, `--file=${here('webhook.pgbench.sql')}`])
      .concat(['--host', url.hostname, '--port', url.port, '--username', url.username, url.pathname.slice(1)]),
    { env: { PGPASSWORD: url.password, PATH: '/usr/bin:/bin' } },
  );
  const tps = /tps = ([\d.]+)/.exec(stdout)?.[1];
  if (tps === undefined || !/number of failed transactions: 0 /.test(stdout)) throw new Error(`pgbench: ${stdout}`);
  return Number(tps);
}

const percentile99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;

/** An API of its own on a Postgres of its own, as it stands on a customer's disk: every answer after its commit. */
async function startApi(adminUrl: string, folder: string) {
  const passwords = Object.fromEntries(SERVICE_ROLES.map((role) => [role, randomBytes(18).toString('base64url')]));
  await migrate(adminUrl, passwords, () => undefined);
  const urlOf = (role: ServiceRole): string => urlAs(adminUrl, 'postgres', role, passwords[role]);
  const secret = `whsec_${randomBytes(24).toString('base64url')}`;
  const file = (name: string, value: string): string => {
    const path = join(folder, name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  };
  const key = file('key', randomBytes(32).toString('base64'));
  const api = await startProcess({
    name: 'api',
    script: here('../api/main.ts'),
    env: {
      PORT: '0',
      OPERATIONS_PORT: '0',
      PUBLIC_URL: 'https://api.example',
      DATABASE_URL_FILE: file('database-url', urlOf('lading_api')),
      ORDER_TOKEN_KEY_FILE: key,
      MASTER_KEY_FILE: key,
      SEPAY_WEBHOOK_SECRETS_FILE: file('sepay', secret),
      BANK_BIN: '970422',
      BANK_ACCOUNT_NUMBER: ACCOUNT,
      BANK_ACCOUNT_NAME: 'LADING BENCH',
    },
    logPath: join(folder, 'api.log'),
  });
  return { api, secret, url: new URL(api.listening['url'] ?? ''), databaseUrl: urlOf('lading_api') };
}

export async function benchWebhook(options: { seconds: number; rounds: number }) {
  const postgres = await startPostgres(undefined);
  const folder = mkdtempSync(join(tmpdir(), 'lading-bench-'));
  const pool = makePool({
    connectionString: postgres.adminUrl,
    applicationName: 'bench',
    max: 1,
    onError: () => undefined,
  });
  let api: Awaited<ReturnType<typeof startApi>> | undefined;
  try {
    api = await startApi(postgres.adminUrl, folder);
    const course = {
      id: 'bench',
      title: 'Bench',
      price_vnd: PRICE_VND,
      provider: 'manifest',
      profile: 'standard',
    } as const;
    await putCourse(
      pool,
      { ...course, source: {} },
      { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'bench' },
    );
    let base = 0;
    // The statement limit of a pool is short of what a hundred thousand orders take.
    await pool.query(`SET statement_timeout = '5min'`);
    const measure = async <T>(seconds: number, work: (from: number) => Promise<T>): Promise<T> => {
      await makeOrders(pool, base, seconds * 400);
      const result = await work(base);
      base += AT_ONCE * ORDERS_A_CLIENT;
      return result;
    };
    const { url, secret, databaseUrl } = api;
    await measure(WARM_UP_SECONDS, (from) => sendWebhooks(url, secret, from, WARM_UP_SECONDS));
    const ours: Sent[] = [];
    const peers: number[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      const sides = [
        async () =>
          ours.push(await measure(options.seconds, (from) => sendWebhooks(url, secret, from, options.seconds))),
        async () =>
          peers.push(await measure(options.seconds, (from) => runPgbench(databaseUrl, from, options.seconds))),
      ];
      // In turns, because whoever goes second finds the larger tables.
      for (const side of round % 2 === 1 ? sides : sides.toReversed()) await side();
      say(
        `round ${round}: ${rounded(ours.at(-1)?.perSecond ?? 0, 0)} webhooks/s, pgbench ${rounded(peers.at(-1) ?? 0, 0)}/s`,
      );
    }
    const perSecond = spreadOf(ours.map((one) => one.perSecond));
    const pgbench = spreadOf(peers);
    return {
      per_second: rounded(perSecond.p50, 1),
      p99_ms: rounded(percentile99(ours.flatMap(({ latenciesMs }) => latenciesMs))),
      pgbench_tps: rounded(pgbench.p50, 1),
      // Of each round, because the machine may be busier in one than in another.
      ratio: spreadOf(ours.map((one, round) => one.perSecond / (peers[round] ?? Number.NaN))).p50,
      connections: CONNECTIONS,
      rounds: { ours: ours.map((one) => rounded(one.perSecond, 1)), pgbench: peers.map((one) => rounded(one, 1)) },
    };
  } finally {
    await api?.api.stop();
    await pool.end();
    await postgres.stop();
    rmSync(folder, { recursive: true });
  }
}
