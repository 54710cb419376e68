/** What operators do to the queue and its engines. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { roomOn } from '../../sql/engines.ts';
import { findJob } from '../../sql/jobs.ts';
import { beginTestAttempt, enrolledTestJob, runningTestAttempt, TEST_ENGINE, type World } from '../../test/orders.ts';
import type { Pool } from '../../sql/pool.ts';
import type { TestApi } from '../test-setup.ts';
import type { Call } from './test-keys.ts';
import { startOperating, type Operating } from './test-operating.ts';

let api: TestApi;
let world: World;
let owner: Pool;
let call: Call;
let changesOf: Operating['changesOf'];
let leaveNothingWaiting: Operating['leaveNothingWaiting'];
beforeAll(async () => {
  ({ api, world, owner, call, changesOf, leaveNothingWaiting } = await startOperating());
});
afterAll(() => api.stop());
beforeEach(() => leaveNothingWaiting());

describe('a pause', () => {
  const isHeard = async (act: () => Promise<unknown>): Promise<boolean> => {
    const client = await owner.connect();
    try {
      let heard = false;
      client.on('notification', () => (heard = true));
      await client.query('LISTEN lading_jobs');
      await act();
      // What was notified before this answer is here with it.
      await client.query('SELECT 1');
      return heard;
    } finally {
      client.release(true);
    }
  };

  test('keeps every attempt from beginning, on every engine, until it is over; then whoever waits is told', async () => {
    const job = await enrolledTestJob(world);
    const { job: running } = { job: (await runningTestAttempt(world)).job };
    await owner.query('UPDATE jobs SET next_task_at = now() WHERE id = $1', [job.id]);
    const paused = await call('POST', '/v1/queue/pause', { reason: 'new disks' });
    expect(paused.body).toMatchObject({ pausedAt: expect.any(String) as unknown, reason: 'new disks' });
    // Again changes nothing, not even the moment.
    expect((await call('POST', '/v1/queue/pause', { reason: 'other' })).body).toEqual(paused.body);
    expect(await beginTestAttempt(world)).toBeUndefined();
    expect((await roomOn(world.orchestrator, TEST_ENGINE)).free).toBe(0);
    expect((await findJob(owner, running.id))?.state).toBe('attempting');
    expect(await isHeard(() => call('POST', '/v1/queue/resume'))).toBe(true);
    expect((await call('GET', '/v1/queue', undefined, 'auditor')).body).toMatchObject({ pausedAt: null, reason: null });
    expect((await beginTestAttempt(world))?.job_id).toBe(job.id);
    expect(await changesOf('queue')).toMatchObject([
      { action: 'queue pause', before: { pausedAt: null }, after: { reason: 'new disks' } },
      { action: 'queue resume', before: { reason: 'new disks' }, after: { reason: null } },
    ]);
  });

  test('of one engine is a drain', async () => {
    const job = await enrolledTestJob(world);
    const path = `/v1/engines/${TEST_ENGINE}`;
    expect((await call('POST', `${path}/drain`, { reason: 'reboot' })).body).toMatchObject({
      name: TEST_ENGINE,
      drainReason: 'reboot',
    });
    expect(await beginTestAttempt(world)).toBeUndefined();
    expect((await roomOn(world.orchestrator, TEST_ENGINE)).free).toBe(0);
    expect(await isHeard(() => call('POST', `${path}/undrain`))).toBe(true);
    expect((await beginTestAttempt(world))?.job_id).toBe(job.id);
    expect((await call('POST', '/v1/engines/nowhere/drain', { reason: 'x' })).body['code']).toBe('engine_unknown');
    expect(await changesOf(TEST_ENGINE)).toHaveLength(2);
  });
});
