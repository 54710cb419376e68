/** Who read what, by key. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { testJobIn } from '../../test/orders.ts';
import { startOperating, type Operating } from './test-operating.ts';

let operating: Operating;
beforeAll(async () => {
  operating = await startOperating();
});
afterAll(() => operating.api.stop());

type Read = { subject: string; via: string; key: { name: string; role: string } };
async function readsSince(id: number): Promise<Read[]> {
  const { rows } = await operating.api.auditor.query<{ subject: string }>('SELECT subject FROM reads WHERE id > $1', [
    id,
  ]);
  const { body } = await operating.call('GET', `/v1/reads?limit=${Math.max(1, rows.length)}`, undefined, 'auditor');
  return rows.length === 0 ? [] : (body['reads'] as Read[]);
}
async function lastRead(): Promise<number> {
  const { rows } = await operating.api.auditor.query<{ id: number }>(
    'SELECT coalesce(max(id), 0)::int AS id FROM reads',
  );
  return rows[0]?.id ?? 0;
}

test('what shows customers and money leaves who asked for what', async () => {
  const job = await testJobIn(operating.world, 'attempting');
  const before = await lastRead();
  for (const path of [
    `/v1/jobs/${job.id}`,
    '/v1/orders?email=A%40mail.example&limit=5',
    '/v1/payments/inbox',
    '/v1/payments/ledger',
    '/v1/dead-letters?courseId=handbook',
  ])
    expect((await operating.call('GET', path, undefined, 'auditor')).status).toBe(200);
  await fetch(`${operating.api.url}/v1/jobs/${job.id}/logs`);
  expect(await readsSince(before)).toMatchObject(
    [
      '/v1/dead-letters?courseId=handbook',
      '/v1/payments/ledger',
      '/v1/payments/inbox',
      '/v1/orders?email=A%40mail.example',
      `/v1/jobs/${job.id}`,
    ].map((subject) => ({ subject, via: 'api', key: { name: 'the auditor', role: 'auditor' } })),
  );
});

test('once an hour for each thing and reader', async () => {
  const before = await lastRead();
  for (let i = 0; i < 3; i += 1)
    for (const role of ['operator', 'auditor'] as const)
      await operating.call('GET', `/v1/payments/inbox?limit=${i + 1}`, undefined, role);
  // The auditor looked at it in the test above.
  expect((await readsSince(before)).map((read) => read.key.name)).toEqual(['the operator']);
});

test('what was refused before anything was shown is no read, and neither is what shows nobody', async () => {
  const before = await lastRead();
  await operating.call('GET', '/v1/payments/inbox', undefined, 'shop');
  await operating.call('GET', '/v1/orders?status=nothing');
  await operating.call('GET', '/v1/jobs');
  await operating.call('GET', '/v1/queue');
  expect(await lastRead()).toBe(before);
});

test('reads of one key, page by page; and they stay as they are', async () => {
  const all = (await operating.call('GET', '/v1/reads?limit=100')).body as {
    reads: { key: { prefix: string; name: string } }[];
  };
  const auditor = all.reads.find((read) => read.key.name === 'the auditor')?.key.prefix ?? '';
  const seen: unknown[] = [];
  let cursor = '';
  do {
    const { body } = await operating.call('GET', `/v1/reads?key=${auditor}&limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...(body['reads'] as unknown[]));
    cursor = (body['nextCursor'] as string | null) ?? '';
  } while (cursor !== '');
  expect(seen).toEqual(all.reads.filter((read) => read.key.prefix === auditor));
  await expect(operating.owner.query('DELETE FROM reads')).rejects.toMatchObject({ code: 'LD003' });
});
