/** Who is started next, and on which engine there is room. */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { makeTestDatabase } from '../test/database.ts';
import { beginTestAttempt, enrolledTestJob, makeWorld, TEST_ENGINE, TEST_LIMITS, type World } from '../test/orders.ts';
import { beginNextAttempt } from './queue.ts';
import { beginRunning, recordContainer, settle } from './attempts.ts';
import { buryUnfit } from './unfit.ts';
import { quarantineEngine, recordDiskFree, releaseEngine, type EngineCapacity } from './engines.ts';

const ENDED = { outcome: 'app_temporary', detail: 'test', exitCode: 75, oomKilled: false, endMessage: undefined };

describe('room on an engine', () => {
  test.each<[string, Partial<EngineCapacity>]>([
    ['slots', { slots: 3 }],
    ['memory', { memoryBytes: 3 * TEST_LIMITS.memoryBytes + 1 }],
    ['the launch gate', { launchesMax: 3 }],
  ])('%s: never given out twice, however many ask at once, and all of it comes back', async (_, capacity) => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow, capacity);
      await Promise.all(Array.from({ length: 12 }, () => enrolledTestJob(narrowWorld)));
      const started = await Promise.all(Array.from({ length: 12 }, () => beginTestAttempt(narrowWorld)));
      const begun = started.filter((attempt) => attempt !== undefined);
      expect(begun).toHaveLength(3);
      const [first, ...rest] = begun;
      if (!first) throw new Error('nothing began');
      const lease = { attemptId: first.id, epoch: first.lease_epoch };
      await recordContainer(narrowWorld.orchestrator, lease, 'container');
      await beginRunning(narrowWorld.orchestrator, lease);
      for (const attempt of [first, ...rest])
        await settle(narrowWorld.orchestrator, { attemptId: attempt.id, epoch: attempt.lease_epoch }, ENDED, {
          job: 'retries',
          spendsAttempt: false,
          delaySeconds: 60,
        });
      const { rows } = await narrowWorld.owner.query('SELECT slots_used, launching, memory_used FROM engines');
      expect(rows).toEqual([{ slots_used: 0, launching: 0, memory_used: 0 }]);
    } finally {
      await narrow.drop();
    }
  });

  test('a job that the engine could never hold keeps nobody waiting', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow, { memoryBytes: TEST_LIMITS.memoryBytes });
      const big = await enrolledTestJob(narrowWorld);
      await narrowWorld.owner.query(`UPDATE jobs SET profile = 'large' WHERE id = $1`, [big.id]);
      const small = await enrolledTestJob(narrowWorld, 'other@shop.example');
      const begun = await beginNextAttempt(narrowWorld.orchestrator, {
        id: randomUUID(),
        engine: TEST_ENGINE,
        holder: 'holder',
        leaseSeconds: 30,
        profiles: { standard: TEST_LIMITS, large: { ...TEST_LIMITS, memoryBytes: 2 * TEST_LIMITS.memoryBytes } },
        image: `sha256:${'0'.repeat(64)}`,
      });
      expect(begun?.job_id).toBe(small.id);
    } finally {
      await narrow.drop();
    }
  });

  test('a job that no engine could ever hold is dead with its cause, and one that waits for a full engine is not', async () => {
    const narrow = await makeTestDatabase();
    try {
      const memoryBytes = TEST_LIMITS.memoryBytes;
      const narrowWorld = await makeWorld(narrow, {
        memoryBytes,
        profiles: { standard: memoryBytes, large: 2 * memoryBytes },
      });
      const [waits, large, unknown, fresh] = [
        await enrolledTestJob(narrowWorld),
        await enrolledTestJob(narrowWorld),
        await enrolledTestJob(narrowWorld),
        await enrolledTestJob(narrowWorld),
      ];
      const profiled = 'UPDATE jobs SET profile = $2 WHERE id = $1';
      for (const job of [large, fresh]) await narrowWorld.owner.query(profiled, [job.id, 'large']);
      await narrowWorld.owner.query(profiled, [unknown.id, 'unknown']);
      await narrowWorld.owner.query(`UPDATE jobs SET next_task_at = now() - interval '61 seconds' WHERE id <> $1`, [
        fresh.id,
      ]);
      expect((await beginTestAttempt(narrowWorld))?.job_id).toBe(waits.id);
      const buried = await buryUnfit(narrowWorld.orchestrator, 60);
      expect(buried.map(({ id }) => id).toSorted()).toEqual([large.id, unknown.id].toSorted());
      expect(buried.find(({ id }) => id === large.id)).toMatchObject({
        dead_reason: 'no_engine_fits',
        dead_detail: 'no engine has the profile large and the memory for it; the largest has 1 MiB',
      });
      await narrowWorld.owner.query('UPDATE engines SET memory_bytes = 2 * memory_bytes');
      await narrowWorld.owner.query(`UPDATE jobs SET next_task_at = now() - interval '61 seconds' WHERE id = $1`, [
        fresh.id,
      ]);
      expect(await buryUnfit(narrowWorld.orchestrator, 60)).toEqual([]);
      // An engine that has said nothing while a job waited is not there.
      await narrowWorld.owner.query(`UPDATE engines SET updated_at = now() - interval '601 seconds'`);
      expect((await buryUnfit(narrowWorld.orchestrator, 60)).map(({ id }) => id)).toEqual([fresh.id]);
    } finally {
      await narrow.drop();
    }
  });

  test('an engine in quarantine, or with its disk below the floor, is given nothing', async () => {
    const narrow = await makeTestDatabase();
    try {
      const { orchestrator, ...others } = await makeWorld(narrow, { diskFloorBytes: 1_000 });
      const narrowWorld = { orchestrator, ...others };
      await enrolledTestJob(narrowWorld);
      await recordDiskFree(orchestrator, TEST_ENGINE, 999);
      expect(await beginTestAttempt(narrowWorld)).toBeUndefined();
      await recordDiskFree(orchestrator, TEST_ENGINE, 1_000);
      expect(await quarantineEngine(orchestrator, TEST_ENGINE, 'silent')).toBe(true);
      expect(await quarantineEngine(orchestrator, TEST_ENGINE, 'silent')).toBe(false);
      expect(await beginTestAttempt(narrowWorld)).toBeUndefined();
      expect(await releaseEngine(orchestrator, TEST_ENGINE)).toBe(true);
      expect(await beginTestAttempt(narrowWorld)).toBeDefined();
    } finally {
      await narrow.drop();
    }
  });
});

test('once a pause is committed nothing begins, not even what was about to', async () => {
  const narrow = await makeTestDatabase();
  try {
    const narrowWorld = await makeWorld(narrow);
    await enrolledTestJob(narrowWorld);
    const settling = await narrowWorld.owner.connect();
    await settling.query('BEGIN');
    await settling.query('UPDATE engines SET updated_at = now()');
    const beginning = beginTestAttempt(narrowWorld);
    const waiting = `SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                     WHERE NOT l.granted AND a.datname = current_database()`;
    while ((await narrowWorld.owner.query(waiting)).rowCount !== 1) await setImmediate();
    let isPaused = false;
    const pausing = narrowWorld.owner
      .query(`UPDATE queue_pause SET paused_at = now(), reason = 'test'`)
      .then(() => (isPaused = true));
    while ((await narrowWorld.owner.query(waiting)).rowCount !== 2 && !isPaused) await setImmediate();
    expect(isPaused).toBe(false);
    await settling.query('COMMIT');
    settling.release();
    expect(await beginning).toBeDefined();
    await pausing;
    await enrolledTestJob(narrowWorld);
    expect(await beginTestAttempt(narrowWorld)).toBeUndefined();
  } finally {
    await narrow.drop();
  }
});

describe('the queue is fair', () => {
  async function orderOfStarts(narrowWorld: World, count: number): Promise<string[]> {
    const starts: string[] = [];
    for (let i = 0; i < count; i += 1) {
      const attempt = await beginTestAttempt(narrowWorld);
      if (attempt) starts.push(attempt.job_id);
    }
    return starts;
  }

  test('a customer with 200 jobs delays a customer with one by at most two slots, whenever he comes', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow);
      for (let i = 0; i < 200; i += 1) await enrolledTestJob(narrowWorld, 'many@shop.example');
      for (const started of [0, 7, 50]) {
        await orderOfStarts(narrowWorld, started);
        const single = await enrolledTestJob(narrowWorld, `one-${started}@shop.example`);
        const next = await orderOfStarts(narrowWorld, 3);
        expect([started, next.includes(single.id)]).toEqual([started, true]);
      }
    } finally {
      await narrow.drop();
    }
  });

  test('less urgent jobs stand behind and are not forgotten', async () => {
    const narrow = await makeTestDatabase();
    try {
      const narrowWorld = await makeWorld(narrow);
      const late = await enrolledTestJob(narrowWorld, 'late@shop.example', 1);
      const urgent = await enrolledTestJob(narrowWorld, 'urgent@shop.example', -1);
      for (let i = 0; i < 150; i += 1) await enrolledTestJob(narrowWorld, 'many@shop.example');
      const starts = await orderOfStarts(narrowWorld, 152);
      expect(starts[0]).toBe(urgent.id);
      expect(starts.indexOf(late.id)).toBeGreaterThan(50);
      expect(starts.indexOf(late.id)).toBeLessThan(110);
    } finally {
      await narrow.drop();
    }
  });
});
