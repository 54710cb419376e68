/** While a job runs: its secrets are nowhere but in its own tmpfs, and it can reach nothing but what its profile allows. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { networkInterfaces } from 'node:os';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { envelopeSchema, secretsOf, type Envelope } from '../../job-image/contract/envelope.ts';
import { readLogChunks } from '../../sql/logs.ts';
import type { PlacedOrder } from '../../sandbox/customer.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import {
  attemptsOf,
  docker,
  DOCKER_HOST,
  eventually,
  runningAttempt,
  startE2e,
  type AttemptSeen,
  type E2e,
} from './world.ts';

let proxy: EngineProxy;
let e2e: E2e;
let order: PlacedOrder;
let attempt: AttemptSeen & { container_id: string };
let envelope: Envelope;

const pidOf = (container: string): string => docker('inspect', '--format', '{{.State.Pid}}', container).trim();

beforeAll(async () => {
  proxy = await startEngineProxy(DOCKER_HOST);
  // Slow enough to be looked at: 2 MiB at 64 KiB/s.
  e2e = await startE2e({ dockerHost: proxy.dockerHost });
  await e2e.putCourse('slow');
  order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  attempt = await runningAttempt(e2e.pool, order.code);
  const path = `/proc/${pidOf(attempt.container_id)}/root/run/secrets/envelope.json`;
  const text = await eventually('the envelope is in the tmpfs', 5_000, async () => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  });
  envelope = envelopeSchema.parse(JSON.parse(text));
}, 60_000);

afterAll(async () => {
  await e2e.stop();
  await proxy.stop();
}, 60_000);

/** Secrets in the forms in which they might have been written somewhere. */
const forms = (): string[] =>
  secretsOf(envelope).flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    encodeURIComponent(secret),
  ]);
const found = (text: string): string[] => forms().filter((form) => text.includes(form));

describe('no secret of the envelope is found', () => {
  test('in docker inspect', () => {
    expect(found(docker('inspect', attempt.container_id))).toEqual([]);
  });

  test('in any environment or command line of the host', () => {
    let read = 0;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      for (const file of ['environ', 'cmdline']) {
        let text = '';
        try {
          text = readFileSync(join('/proc', pid, file), 'latin1');
        } catch {
          continue; // ended meanwhile
        }
        read += 1;
        expect([pid, file, ...found(text)]).toEqual([pid, file]);
      }
    expect(read).toBeGreaterThan(20);
  });

  test('in any request to the engine but the stdin of the attach', () => {
    // A connection is kept for several calls; once it is an attach, the rest of it is the job's stdin.
    const connections = proxy.sent().map((bytes) => bytes.toString('latin1'));
    const [requests, stdins] = [0, 1].map((part) =>
      connections.map(
        (text) =>
          text.split(/(?<=POST \/v[\d.]+\/containers\/[0-9a-f]+\/attach[^\r]*\r\n(?:[^\r]+\r\n)*\r\n)/)[part] ?? '',
      ),
    ) as [string[], string[]];
    expect(requests.some((text) => /POST \/v[\d.]+\/containers\/create\?/.test(text))).toBe(true);
    for (const text of requests) expect(found(text)).toEqual([]);
    // The proxy does see what goes over stdin: the search itself works.
    expect(stdins.flatMap(found).length).toBeGreaterThan(0);
  });

  test("in the daemon's log files, the stored log, or our processes' logs", async () => {
    const chunks = await readLogChunks(e2e.pool, attempt.id);
    expect(found(docker('logs', attempt.container_id))).toEqual([]);
    for (const chunk of chunks) expect(found(zstdDecompressSync(chunk.zstd).toString('utf8'))).toEqual([]);
    for (const file of readdirSync(join(e2e.system.runDir, 'logs')))
      expect([file, ...found(readFileSync(join(e2e.system.runDir, 'logs', file), 'utf8'))]).toEqual([file]);
  });

  test('in the database', async () => {
    const { rows } = await e2e.pool.query<{ row: string }>(
      `SELECT jobs::text || attempts::text || courses::text AS row FROM jobs JOIN attempts ON attempts.job_id = jobs.id
       JOIN courses ON courses.id = jobs.course_id
       UNION ALL SELECT audit_events::text FROM audit_events`,
    );
    for (const { row } of rows) expect(found(row)).toEqual([]);
  });
});

/** Runs code inside the job's container as the job's user; answers what it prints. */
const inside = (code: string): string =>
  docker('exec', '--user', '10001:10001', attempt.container_id, 'node', '--input-type=module', '-e', code);

const CONNECT = `
import { connect } from 'node:net';
const ask = (text) => new Promise((resolve) => {
  const socket = connect('/run/egress/egress.sock', () => socket.write(text));
  socket.setTimeout(10000, () => { socket.destroy(); resolve('timeout'); });
  socket.once('data', (data) => { socket.destroy(); resolve(data.toString().split('\\r\\n')[0].split(' ')[1]); });
  socket.once('error', (error) => resolve(error.code));
  socket.once('close', () => resolve('closed'));
});
const [token, ...targets] = JSON.parse(process.argv[1]);
const proof = token ? 'Proxy-Authorization: Bearer ' + token + '\\r\\n' : '';
const answers = [];
for (const target of targets) answers.push(await ask(target.startsWith('/')
  ? 'POST ' + target + ' HTTP/1.1\\r\\nHost: lading\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n' + proof + '\\r\\n{}'
  : 'CONNECT ' + target + ' HTTP/1.1\\r\\nHost: ' + target + '\\r\\n' + proof + '\\r\\n'));
console.log(JSON.stringify(answers));
`;
/** Status codes of CONNECTs (host:port) and POSTs (/path) through the egress socket, from inside. */
const throughEgress = (token: string, targets: readonly string[]): string[] =>
  JSON.parse(
    docker(
      'exec',
      '--user',
      '10001:10001',
      attempt.container_id,
      'node',
      '--input-type=module',
      '-e',
      CONNECT,
      '--',
      JSON.stringify([token, ...targets]),
    ),
  ) as string[];

const hostAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).filter((one) => one.family === 'IPv4').map((one) => one.address),
  );

describe('from inside a job container', () => {
  test('there is no interface but lo', () => {
    expect(
      JSON.parse(
        inside(`import os from 'node:os'; import fs from 'node:fs';
      console.log(JSON.stringify(fs.readFileSync('/proc/net/dev','utf8').split('\\n').slice(2).map((line) => line.split(':')[0].trim()).filter(Boolean)))`),
      ),
    ).toEqual(['lo']);
  });

  test('no address of the host answers directly', () => {
    const port = new URL(e2e.system.apiUrl).port;
    const results = JSON.parse(
      inside(`import { connect } from 'node:net';
        const results = [];
        for (const host of ${JSON.stringify([...hostAddresses(), '169.254.169.254'])}) results.push(await new Promise((resolve) => {
          const socket = connect({ host, port: ${port}, timeout: 2000 }, () => resolve('connected'));
          socket.once('error', (error) => resolve(error.code)); socket.once('timeout', () => resolve('timeout'));
        }));
        console.log(JSON.stringify(results))`),
    ) as string[];
    for (const result of results) expect(['ENETUNREACH', 'ECONNREFUSED']).toContain(result);
    expect(results).toContain('ENETUNREACH');
  });

  test('egress lets through what the profile allows and nothing else', () => {
    const allowed = new URL(e2e.system.providerUrl).host;
    const postgres = new URL(e2e.system.databaseUrl('lading_api'));
    const api = new URL(e2e.system.apiUrl);
    const refused = [
      `127.0.0.1:${postgres.port}`,
      `localhost:${postgres.port}`,
      `localhost:${api.port}`,
      `127.0.0.1:${api.port}`,
      ...hostAddresses().map((address) => `${address}:${api.port}`),
      '169.254.169.254:80',
      '[::1]:443',
      `[::ffff:127.0.0.1]:${api.port}`,
      'example.com:443',
      `${allowed.split(':')[0]}:22`,
    ];
    expect(throughEgress(envelope.egressToken, [allowed])).toEqual(['200']);
    expect(throughEgress(envelope.egressToken, refused)).toEqual(refused.map(() => '403'));
    expect(throughEgress('', [allowed])).toEqual(['407']);
    expect(throughEgress(`${envelope.egressToken}x`, [allowed])).toEqual(['407']);
  });

  test('another attempt and the rest of the API are out of reach', () => {
    const other = '00000000-0000-4000-8000-000000000000';
    const answers = throughEgress(envelope.egressToken, [
      `/v1/attempts/${other}/finalize`,
      '/v1/orders',
      '/webhooks/sepay',
      `/v1/attempts/${attempt.id}/finalize/../../../orders`,
    ]);
    for (const answer of answers) expect(['400', '403', '404', '405']).toContain(answer);
  });

  test('the root is read-only, secrets are not executable, and nothing can be gained', () => {
    expect(
      inside(`import fs from 'node:fs';
      const tries = [['/', 'x'], ['/app', 'x'], ['/run/egress', 'x']].map(([dir, name]) => { try { fs.writeFileSync(dir + '/' + name, ''); return 'written'; } catch (error) { return error.code; } });
      console.log(tries.join())`).trim(),
    ).toMatch(/^(EROFS|EACCES),(EROFS|EACCES),(EROFS|EACCES)$/);
  });
});

test('undisturbed by all this the course arrives', async () => {
  await e2e.customer.waitFor(order, ['completed'], 90_000);
  const [only, ...more] = await attemptsOf(e2e.pool, order.code);
  expect(more).toEqual([]);
  await eventually(
    'the attempt is settled',
    20_000,
    async () => ((await attemptsOf(e2e.pool, order.code))[0]?.outcome === 'succeeded' ? true : undefined),
    () => only,
  );
}, 120_000);
