/** Enrolment at the wire: the sandbox's provider over plain HTTPS, its authority known to this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
/* oxlint-disable no-restricted-imports -- the outside world of this test */
import { makeProvider } from '../../sandbox/provider/app.ts';
import { openHashCache } from '../../sandbox/provider/hash-cache.ts';
import { UDEMY } from '../../sandbox/provider/udemy.ts';
import { serve, type Serving } from '../../sandbox/serve.ts';
import { ensureTls } from '../../sandbox/tls.ts';
/* oxlint-enable no-restricted-imports */
import type { ProviderName } from '../../sql/courses.ts';
import { enrol } from './enrolment.ts';
import { jobSourceOf } from './sources.ts';

const tokens = new Map([['account', 'the-token']]);
const before = getCACertificates('default');
let dir: string;
let server: Serving;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'enrolment-'));
  const tls = await ensureTls(dir);
  setDefaultCACertificates([...before, tls.ca]);
  const log = pino({ level: 'silent' });
  const hashes = await openHashCache(join(dir, 'hashes.json'), log);
  const slow = { bytes: 1, bytesPerSecond: 1 };
  const handler = () => makeProvider({ coursesDir: undefined, hashes, token: 'the-token', slow, log });
  server = await serve({ host: '127.0.0.1', port: 0, tls, handler });
});
afterAll(async () => {
  setDefaultCACertificates(before);
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const ask = (provider: ProviderName, source: object) => enrol({ provider, source }, tokens, { id: 'order-1' });
const udemy = (courseId: number, bearer = 'account') => ask('udemy', { apiUrl: server.url, courseId, bearer });
const manifest = (id: string) =>
  ask('manifest', {
    manifestUrl: `${server.url}/courses/${id}/manifest.json`,
    enrolUrl: `${server.url}/courses/${id}/enrolments`,
    bearer: 'account',
  });
const fault = (body: object) =>
  fetch(`${server.url}/sandbox/faults`, { method: 'POST', body: JSON.stringify({ times: 1, ...body }) });

test('a provider with an enrolment endpoint says yes or no', async () => {
  expect(await manifest('tiny')).toEqual({ ok: true });
  expect(await manifest('denied')).toMatchObject({ ok: false, retry: false, reason: 'not_enrolled' });
});
test('an account is looked for on every page of its courses', async () => {
  expect(await udemy(UDEMY.fine)).toEqual({ ok: true });
  expect(await udemy(UDEMY.hiddenStream)).toEqual({ ok: true });
  expect(await udemy(UDEMY.notEnrolled)).toMatchObject({ ok: false, retry: false, reason: 'not_enrolled' });
});
test.each([429, 500, 503])('%d is asked again later', async (status) => {
  await fault({ match: { path: 'subscribed' }, status, retryAfter: 7 });
  expect(await udemy(UDEMY.fine)).toMatchObject({ ok: false, retry: true, retryAfterSeconds: 7 });
});
test.each([401, 403])('%d is a refusal', async (status) => {
  await fault({ match: { path: 'subscribed' }, status });
  expect(await udemy(UDEMY.fine)).toMatchObject({ ok: false, retry: false, reason: 'not_enrolled' });
});
test.each([
  ['udemy', { courseId: 1, bearer: 'nobody' }],
  ['udemy', { courseId: 1 }],
  ['udemy', { courseId: 1, bearer: 'account', apiUrl: 'http://plain.example' }],
  ['hls', { manifestUrl: 'https://x.example' }],
  ['manifest', { manifestUrl: 'file:///etc/passwd' }],
] as const)('%s of %j is misconfigured', async (provider, source) => {
  expect(await ask(provider, source)).toMatchObject({ ok: false, retry: false, reason: 'course_misconfigured' });
  expect(() => jobSourceOf(provider, source, tokens)).toThrow('course source');
});
