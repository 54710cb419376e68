/** Jobs that died: shown, filtered, and sent on their way again. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findJob } from '../../sql/jobs.ts';
import { TEST_COURSE } from '../../test/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import type { TestApi } from '../test-setup.ts';
import type { Call } from './test-keys.ts';
import { startOperating, type Operating } from './test-operating.ts';

let api: TestApi;
let owner: Pool;
let call: Call;
let changesOf: Operating['changesOf'];
let deadJob: Operating['deadJob'];
beforeAll(async () => {
  ({ api, owner, call, changesOf, deadJob } = await startOperating());
});
afterAll(() => api.stop());

describe('dead letters', () => {
  test('are listed by filter and page, shown before they are sent, and sent by the same filter, the oldest first', async () => {
    const jobs = [await deadJob('grant_failed'), await deadJob('grant_failed'), await deadJob('grant_failed')];
    const other = await deadJob('oom');
    const first = (await call('GET', '/v1/dead-letters?deadReason=grant_failed&limit=2')).body;
    expect(first['deadLetters']).toMatchObject([
      { id: jobs[2]?.id, attempts: [{ n: 1, outcome: 'app_temporary', exitCode: 75 }] },
      { id: jobs[1]?.id },
    ]);
    const rest = (await call('GET', `/v1/dead-letters?deadReason=grant_failed&cursor=${String(first['nextCursor'])}`))
      .body;
    expect(rest).toMatchObject({ deadLetters: [{ id: jobs[0]?.id }], nextCursor: null });

    const wish = { filter: { deadReason: 'grant_failed', courseId: TEST_COURSE }, reason: 'Drive is back', limit: 2 };
    const send = async (more: object) => (await call('POST', '/v1/dead-letters/redrive', { ...wish, ...more })).body;
    const [one, two] = jobs.map(({ id }) => id);
    expect(await send({ dryRun: true })).toMatchObject({
      jobs: [
        { id: one, result: 'would_be_redriven' },
        { id: two, result: 'would_be_redriven' },
      ],
      more: true,
    });
    expect((await findJob(owner, one ?? ''))?.state).toBe('dead');
    expect(await send({})).toMatchObject({ jobs: [{ id: one, result: 'redriven' }, { id: two }], more: true });
    expect(await send({})).toMatchObject({ jobs: [{ id: jobs[2]?.id }], more: false });
    expect(await send({})).toEqual({ jobs: [], more: false });
    expect((await findJob(owner, other.id))?.state).toBe('dead');
    expect(await changesOf(one ?? '')).toHaveLength(1);
  });

  test('what was cancelled, and perhaps refunded, is sent only by its own reason', async () => {
    const cancelled = await deadJob('cancelled');
    const sent = async (filter: object) => {
      const { body } = await call('POST', '/v1/dead-letters/redrive', { filter, reason: 'again', dryRun: true });
      return (body['jobs'] as { id: string }[]).map(({ id }) => id);
    };
    expect(await sent({ courseId: TEST_COURSE })).not.toContain(cancelled.id);
    expect(await sent({ deadReason: 'cancelled' })).toContain(cancelled.id);
  });

  test.each([
    {},
    { filter: {} },
    { filter: { deadReason: 'x'.repeat(101) } },
    { filter: { deadReason: 'oom' }, limit: 101 },
  ])('are not sent by %j', async (wish) => {
    expect((await call('POST', '/v1/dead-letters/redrive', { reason: 'x', ...wish })).status).toBe(422);
  });
});
