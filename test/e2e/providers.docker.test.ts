/** Courses of every provider, and one folder for many orders, delivered to the sandbox's Drive. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { getJson } from '../../sandbox/https.ts';
import { UDEMY } from '../../sandbox/provider/udemy.ts';
import { putCourse, type CourseRow } from '../../sql/courses.ts';
import { jobOf } from './fixture-world.ts';
import { attemptsOf, eventually, startE2e, type E2e } from './world.ts';

let e2e: E2e;
beforeAll(async () => {
  e2e = await startE2e({ orchestrators: 2 });
}, 60_000);
afterAll(() => e2e.stop(), 60_000);

const put = (course: Pick<CourseRow, 'id' | 'provider' | 'source'> & Partial<CourseRow>) =>
  putCourse(
    e2e.pool,
    { title: `Khóa ${course.id}: A/B`, price_vnd: 499_000, profile: 'standard', ...course },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'test' },
  );
async function buy(course: string, email = 'customer@shop.example') {
  const order = await e2e.customer.order(course, email);
  await e2e.customer.pay(order);
  return order;
}
const filesSchema = z.array(
  z.object({
    id: z.string(),
    path: z.string(),
    mimeType: z.string(),
    size: z.number().nullable(),
    sha256: z.string().nullable(),
    permissions: z.array(z.object({ emailAddress: z.string().optional(), role: z.string() })),
  }),
);
const inDrive = async () => filesSchema.parse(await getJson(`${e2e.system.googleUrl}/sandbox/files`, e2e.system.caPem));
const below = async (folder: string) => (await inDrive()).filter(({ path }) => path.startsWith(`${folder}/`));
const dead = (code: string) =>
  eventually(
    `the job of ${code} is dead`,
    30_000,
    async () => {
      const job = await jobOf(e2e.pool, code);
      return job.state === 'dead' ? job : undefined;
    },
    () => jobOf(e2e.pool, code),
  );

test('an HLS course is delivered as MP4 files', async () => {
  await put({
    id: 'hls',
    provider: 'hls',
    source: { courseUrl: `${e2e.system.providerUrl}/courses/hls/course.json`, bearer: 'sandbox' },
  });
  const order = await buy('hls');
  await e2e.customer.waitFor(order, ['completed'], 60_000);
  const files = await below(`Khóa hls: A-B (${order.code})`);
  expect(files.filter(({ size }) => size !== null).map(({ path }) => path.split('/').slice(1).join('/'))).toEqual(
    ['plain', 'none', 'discontinuity', 'fragments', 'master', 'single'].map(
      (name, index) => `Phần 1/Bài ${index + 1} - ${name}.mp4`,
    ),
  );
});

test('a Udemy course is delivered in folders by section', async () => {
  const source = (courseId: number) => ({ courseId, apiUrl: e2e.system.providerUrl, bearer: 'sandbox' });
  await put({ id: 'udemy', provider: 'udemy', source: source(UDEMY.fine) });
  await put({ id: 'udemy-drm', provider: 'udemy', source: source(UDEMY.drmed) });
  await put({ id: 'udemy-other', provider: 'udemy', source: source(UDEMY.notEnrolled) });
  const [order, drm, other] = [await buy('udemy'), await buy('udemy-drm'), await buy('udemy-other')];
  await e2e.customer.waitFor(order, ['completed'], 60_000);
  expect((await below(`Khóa udemy: A-B (${order.code})`)).filter(({ size }) => size !== null)).toHaveLength(5);
  expect(await dead(drm.code)).toMatchObject({ dead_reason: 'protected_content' });
  expect(await dead(other.code)).toMatchObject({ dead_reason: 'not_enrolled' });
  expect(await attemptsOf(e2e.pool, other.code)).toEqual([]);
});

test('orders of a shared course at the same moment: one upload, one folder, each customer let in, none early', async () => {
  const source = { manifestUrl: `${e2e.system.providerUrl}/courses/slow/manifest.json`, bearer: 'sandbox' };
  await put({ id: 'slow', provider: 'manifest', source, folder: 'shared' });
  const emails = ['a@shop.example', 'b@shop.example', 'c@shop.example'];
  const orders = await Promise.all(emails.map((email) => buy('slow', email)));
  await Promise.all(orders.map((order) => e2e.customer.waitFor(order, ['completed'], 110_000)));
  const attempts = (await Promise.all(orders.map(({ code }) => attemptsOf(e2e.pool, code)))).flat();
  expect(attempts).toHaveLength(1);
  const folders = (await inDrive()).filter(({ path }) => path === 'Khóa slow: A-B');
  expect(folders.map(({ permissions }) => new Set(permissions.map((one) => one.emailAddress)))).toEqual([
    new Set(emails),
  ]);
  const { rows } = await e2e.pool.query<{ early: number }>(
    `SELECT count(*) AS early FROM deliveries d, course_folders f WHERE f.course_id = 'slow' AND d.granted_at < f.ready_at
       AND d.job_id IN (SELECT id FROM jobs WHERE course_id = 'slow')`,
  );
  expect(rows).toEqual([{ early: 0 }]);

  const startedAt = Date.now();
  const late = await buy('slow', 'd@shop.example');
  await e2e.customer.waitFor(late, ['completed'], 20_000);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  expect(await attemptsOf(e2e.pool, late.code)).toEqual([]);
}, 150_000);
