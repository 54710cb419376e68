/** The API with keys of each role, and jobs to act on. */
import type { Pool } from '../../sql/pool.ts';
import { settle } from '../../sql/attempts.ts';
import type { JobRow } from '../../sql/jobs.ts';
import { makeWorld, runningTestAttempt, type World } from '../../test/orders.ts';
import { startTestApi, type TestApi } from '../test-setup.ts';
import { makeCall, type Call } from './test-keys.ts';

export const why = { reason: 'the customer called' };

export type Operating = {
  api: TestApi;
  world: World;
  owner: Pool;
  call: Call;
  changesOf: (subject: string) => Promise<object[]>;
  deadJob: (reason?: string) => Promise<JobRow>;
  /** What others left waiting would be begun first. */
  leaveNothingWaiting: () => Promise<void>;
};

export async function startOperating(): Promise<Operating> {
  const api = await startTestApi();
  const world = await makeWorld(api.database);
  const { owner } = world;
  const { call } = await makeCall(api);
  return {
    api,
    world,
    owner,
    call,
    changesOf: async (subject) => {
      const { rows } = await api.auditor.query<object>(
        'SELECT k.name, c.action, c.before, c.after FROM changes c JOIN api_keys k ON k.id = c.key_id WHERE subject = $1 ORDER BY c.id',
        [subject],
      );
      return rows;
    },
    deadJob: async (reason = 'attempts_exhausted') => {
      const { job, attempt } = await runningTestAttempt(world);
      await settle(
        world.orchestrator,
        { attemptId: attempt.id, epoch: attempt.lease_epoch },
        { outcome: 'app_temporary', detail: 'the last words', exitCode: 75, oomKilled: false, endMessage: undefined },
        { job: 'dies', spendsAttempt: true, reason, detail: 'after 3 attempts' },
      );
      return job;
    },
    leaveNothingWaiting: async () => {
      await owner.query(`UPDATE jobs SET next_task_at = 'infinity' WHERE state = 'enrolled'`);
    },
  };
}
