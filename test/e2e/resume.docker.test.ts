/** A container is killed in the middle of a large file: the next one goes on where Drive stands. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { getJson } from '../../sandbox/https.ts';
import { putCourse } from '../../sql/courses.ts';
import { attemptsOf, docker, eventually, runningAttempt, settledAttempts, startE2e, type E2e } from './world.ts';
import { storedLines } from './fixture-world.ts';

const MIB = 1024 * 1024;
const FILE_BYTES = 48 * MIB;
const CHUNK_BYTES = 8 * MIB;

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e();
  await putCourse(
    e2e.pool,
    {
      id: 'slow',
      title: 'A large file',
      price_vnd: 499_000,
      provider: 'manifest',
      source: {
        manifestUrl: `${e2e.system.providerUrl}/courses/slow/manifest.json?bytes=${FILE_BYTES}&bytesPerSecond=${10 * MIB}`,
        bearer: 'sandbox',
      },
      profile: 'standard',
    },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
  );
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const received = async (): Promise<number> =>
  z
    .object({ receivedBytes: z.number() })
    .parse(await getJson(`${e2e.system.googleUrl}/sandbox/requests`, e2e.system.caPem)).receivedBytes;
const inDrive = async () =>
  z
    .array(z.object({ path: z.string(), size: z.number().nullable(), sha256: z.string().nullable() }))
    .parse(await getJson(`${e2e.system.googleUrl}/sandbox/files`, e2e.system.caPem))
    .filter(({ size }) => size !== null);

/** Every row of every table, as text; what is binary is there as it is and in hexadecimal. */
async function databaseText(): Promise<string> {
  const { rows: tables } = await e2e.pool.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'graphile_worker')`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await e2e.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    for (const { row } of rows)
      texts.push(
        row,
        ...(row.match(/\\\\x[0-9a-f]+/g) ?? []).map((hex) => Buffer.from(hex.slice(3), 'hex').toString('latin1')),
      );
  }
  return texts.join('\n');
}

test('killed in the middle of a file, at most one chunk is sent twice, and no session is seen or left anywhere', async () => {
  const order = await e2e.customer.order('slow', 'customer@shop.example');
  await e2e.customer.pay(order);
  const first = await runningAttempt(e2e.pool, order.code);
  await eventually(
    'half of the file is sent',
    30_000,
    async () => ((await received()) > FILE_BYTES / 2 ? true : undefined),
    received,
  );
  const kept = await e2e.pool.query<{ path: string; attempt_id: string }>(
    'SELECT path, attempt_id FROM upload_sessions',
  );
  expect(kept.rows).toEqual([{ path: 'slow.bin', attempt_id: first.id }]);
  const text = await databaseText();
  expect(text).toContain('slow.bin');
  expect(text).not.toContain('upload_id');

  docker('kill', '--signal', 'KILL', first.container_id);
  await e2e.customer.waitFor(order, ['completed'], 60_000);
  expect((await settledAttempts(e2e.pool, order.code)).map(({ n, outcome }) => [n, outcome])).toEqual([
    [1, 'killed_outside'],
    [2, 'succeeded'],
  ]);
  const { rows: files } = await e2e.pool.query<{ sha256: string }>('SELECT sha256 FROM files');
  expect((await inDrive()).map(({ size, sha256 }) => ({ size, sha256 }))).toEqual([
    { size: FILE_BYTES, sha256: files[0]?.sha256 },
  ]);
  const sentTwice = (await received()) - FILE_BYTES;
  expect(sentTwice).toBeGreaterThanOrEqual(0);
  expect(sentTwice).toBeLessThanOrEqual(CHUNK_BYTES);

  expect((await e2e.pool.query('SELECT FROM upload_sessions')).rowCount).toBe(0);
  for (const { id } of await attemptsOf(e2e.pool, order.code))
    expect(JSON.stringify(await storedLines(e2e.pool, id))).not.toContain('upload_id');
  const logsDir = join(e2e.system.runDir, 'logs');
  // The stand-in of Drive made the sessions, and may speak of them.
  for (const name of readdirSync(logsDir).filter((each) => each !== 'sandbox-google.log'))
    expect([name, readFileSync(join(logsDir, name), 'utf8').includes('upload_id')]).toEqual([name, false]);
  expect(await databaseText()).not.toContain('upload_id');
}, 120_000);
