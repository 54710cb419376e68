/** What a waiting order is told of its place, and how often a watcher hears of a download. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recordProgress, settle } from '../../sql/attempts.ts';
import { putCourse } from '../../sql/courses.ts';
import { waitFigures } from '../../sql/order-queue.ts';
import { hear } from '../../sql/hear.ts';
import { pay } from '../payments/test-webhook.ts';
import {
  BANK,
  COURSE,
  createAttempt,
  placeTestOrder,
  runAttempt,
  startTestApi,
  TOKEN_KEY,
  type OrderAnswer,
  type TestApi,
} from '../test-setup.ts';
import { orderEvents } from './events.ts';
import { seeOrder } from './see-order.ts';
import { openStatusToken } from './status-token.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const SUCCEEDED = { outcome: 'succeeded' as const, detail: '', exitCode: 0, oomKilled: false, endMessage: undefined };

const paidOrder = async (): Promise<OrderAnswer> => {
  const order = await placeTestOrder(api);
  await pay(api, order.code);
  return order;
};
const jobOf = async (code: string): Promise<string> => {
  const { rows } = await api.auditor.query<{ id: string }>(
    'SELECT j.id FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1',
    [code],
  );
  return rows[0]?.id ?? '';
};
type Seen = { queue: { ahead: number; startSeconds: number | null; doneSeconds: number | null } | null };
const seen = async (order: OrderAnswer): Promise<Seen> =>
  (await (await fetch(`${api.url}/v1/orders/${order.token}`)).json()) as Seen;

test('a waiting order is told how many stand before it, and for how long once that was measured', async () => {
  const [first, second] = [await paidOrder(), await paidOrder()];
  expect((await seen(first)).queue).toEqual({ ahead: 0, startSeconds: null, doneSeconds: null });
  expect((await seen(second)).queue).toMatchObject({ ahead: 1 });
  const attempt = await runAttempt(api, first.code);
  // 1,000 slots, one of them taken.
  expect((await seen(second)).queue).toEqual({ ahead: 0, startSeconds: 0, doneSeconds: null });
  expect((await seen(first)).queue).toBeNull();
  const owner = api.database.poolFor('lading_owner');
  await owner.query(`UPDATE attempts SET running_at = now() - interval '100 seconds' WHERE id = $1`, [attempt.id]);
  await owner.query(`UPDATE jobs SET state = 'delivering', folder_id = 'folder' WHERE id = $1`, [attempt.job_id]);
  await settle(api.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, SUCCEEDED, { job: 'stays' });
  const { queue } = await seen(second);
  expect(queue?.startSeconds).toBe(0);
  expect(queue?.doneSeconds).toBeGreaterThanOrEqual(100);
  expect(queue?.doneSeconds).toBeLessThan(120);
  await owner.query(`UPDATE queue_pause SET paused_at = now(), reason = 'a test'`);
  expect((await seen(second)).queue).toMatchObject({ startSeconds: null });
  await owner.query(`UPDATE queue_pause SET paused_at = NULL, reason = NULL`);
  await owner.query(`UPDATE engines SET drained_at = now(), drain_reason = 'a test'`);
  expect(await waitFigures(api.pool, await jobOf(second.code))).toMatchObject({ slots: 0 });
  await owner.query(`UPDATE engines SET drained_at = NULL, drain_reason = NULL`);
  await createAttempt(api, second.code);
});

test('of a download a watcher hears once a second at most, and of its first word at once', async () => {
  const order = await paidOrder();
  const attempt = await runAttempt(api, order.code);
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const orderId = openStatusToken(TOKEN_KEY, order.token);
  const hearing = await hear(api.database.urlFor('lading_api'), ['lading_orders']);
  const heard: string[] = [];
  hearing.onMoved((id) => heard.push(id));
  const progress = { filesDone: 0, filesTotal: 1, bytesDone: 0, bytesTotal: 10, bytesPerSecond: 1 };
  for (let bytesDone = 0; bytesDone < 10; bytesDone += 1)
    await recordProgress(api.orchestrator, lease, { ...progress, bytesDone });
  // Notifications keep their order: when this one is here, so is all that was told before it.
  await api.orchestrator.query(`SELECT pg_notify('lading_orders', 'the end')`);
  while (heard.at(-1) !== 'the end') await new Promise((resolve) => setTimeout(resolve, 10));
  expect(heard).toEqual([orderId, 'the end']);
  await hearing.close();
});

test('who waits hears that he moved forward when others moved, without asking before', async () => {
  const [first, second] = [await paidOrder(), await paidOrder()];
  const desk = { bank: BANK, publicUrl: 'https://api.example', tokenKey: TOKEN_KEY };
  const id = openStatusToken(TOKEN_KEY, second.token) ?? '';
  let looks = 0;
  const stream = await orderEvents(
    api.news,
    id,
    async () => {
      looks += 1;
      const now = await seeOrder({ pool: api.pool, desk }, id);
      return now && { status: now.order.status, expiresAt: now.order.expires_at, waits: now.waits, answer: now.answer };
    },
    50,
  );
  let text = '';
  stream.on('data', (part: Buffer) => (text += part.toString()));
  const says = async (words: string): Promise<void> => {
    while (!text.includes(words)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await says('"ahead":1');
  expect(looks).toBe(1);
  await runAttempt(api, first.code);
  await says('"ahead":0');
  stream.destroy();
});

test('three downloads of the same course tell more than those of all', async () => {
  const owner = api.database.poolFor('lading_owner');
  const waiting = await paidOrder();
  const jobId = await jobOf(waiting.code);
  const took = async (seconds: number, course: string): Promise<void> => {
    const order = await paidOrder();
    const attempt = await runAttempt(api, order.code);
    await owner.query('UPDATE jobs SET course_id = $2 WHERE id = $1', [attempt.job_id, course]);
    await owner.query('UPDATE attempts SET running_at = now() - make_interval(secs => $2) WHERE id = $1', [
      attempt.id,
      seconds,
    ]);
    await owner.query(`UPDATE jobs SET state = 'delivering', folder_id = 'folder' WHERE id = $1`, [attempt.job_id]);
    await settle(api.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, SUCCEEDED, { job: 'stays' });
  };
  await putCourse(owner, { ...COURSE, id: 'own' }, undefined);
  await owner.query(`UPDATE jobs SET course_id = 'own' WHERE id = $1`, [jobId]);
  const measured = async (): Promise<number> => (await waitFigures(api.pool, jobId))?.attempt_seconds ?? -1;
  for (const course of ['handbook', 'handbook', 'own', 'own']) await took(course === 'own' ? 1_000 : 10, course);
  expect(await measured()).toBeLessThan(900);
  await took(1_000, 'own');
  expect(await measured()).toBeGreaterThanOrEqual(1_000);
});

test('of money that did not fit the first ten are told', async () => {
  const order = await paidOrder();
  for (let n = 1; n <= 11; n += 1) await pay(api, order.code, { transferAmount: 1_000 + n });
  const answer = (await (await fetch(`${api.url}/v1/orders/${order.token}`)).json()) as {
    unplaced: { amountVnd: number }[];
  };
  expect(answer.unplaced.map(({ amountVnd }) => amountVnd)).toEqual(Array.from({ length: 10 }, (_, n) => 1_001 + n));
});

test.each([
  ['lading_api', 'UPDATE attempts SET progress = NULL'],
  ['lading_api', 'UPDATE attempts SET progress_told_at = now()'],
  ['lading_orchestrator', 'UPDATE attempts SET progress_told_at = now()'],
  ['lading_orchestrator', 'SELECT * FROM payments'],
] as const)('%s has no right to: %s', async (role, statement) => {
  await expect(api.database.poolFor(role).query(statement)).rejects.toMatchObject({ code: '42501' });
});
