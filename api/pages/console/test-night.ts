/** What an operator finds at three in the morning: jobs in every state, a failed one with its log, money without an order. */
import { madeLog, storeChunks } from '../../../cli/test-log.ts';
import { settle, type AttemptRow } from '../../../sql/attempts.ts';
import { createKey, type KeyRole } from '../../../sql/api-keys.ts';
import { quarantineEngine, registerEngine } from '../../../sql/engines.ts';
import { acceptManifest, type JobRow } from '../../../sql/jobs.ts';
import { insertLogEnd } from '../../../sql/logs.ts';
import { storeSamples } from '../../../sql/samples.ts';
import {
  enrolledTestJob,
  makeWorld,
  runningTestAttempt,
  testJobIn,
  TEST_CAPACITY,
  type World,
} from '../../../test/orders.ts';
import { pay } from '../../payments/test-webhook.ts';
import { startTestApi, type TestApi } from '../../test-setup.ts';

/** What tries to run, wherever it is shown. */
export const EVIL = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'"`;
const COMPLETED = 40;
const MIB = 1024;
const POINTS = 90;
const PROGRESS_LINES = 600;

export type Night = {
  api: TestApi;
  world: World;
  keys: Record<'operator' | 'auditor', string>;
  /** Its order's code. */
  failed: { job: JobRow; attempt: AttemptRow; code: string };
  running: { job: JobRow; attempt: AttemptRow; code: string };
  stop: () => Promise<void>;
};

const codeOf = async (world: World, job: JobRow): Promise<string> =>
  (await world.owner.query<{ code: string }>('SELECT code FROM orders WHERE id = $1', [job.order_id])).rows[0]?.code ??
  '';

/** A wave, the same each time. */
const wave = (i: number, length: number): number => 0.5 + 0.5 * Math.sin((i / length) * 9);

export const logOf = (lines: number): string[] => [
  'listing the course: 48 files, 6.1 GB',
  ...Array.from({ length: lines }, (_, i) =>
    i % 7 === 3
      ? JSON.stringify({ lading: 'progress', filesDone: Math.floor(i / 15), filesTotal: 48, bytesDone: i * 9_000_000 })
      : `uploading "Chapter ${1 + Math.floor(i / 30)} / ${String(1 + (i % 30)).padStart(2, '0')} lecture.mp4" (${(i * 9) % 640} MB)`,
  ),
  'warning: the provider answers slowly, 8.2 s for one range',
  `course title: ${EVIL}`,
  'Error: the provider answered 503 four times in a row',
  '    at fetchRange (job-image/providers/ranges.ts:88:11)',
  JSON.stringify({ lading: 'end', reason: 'provider_unavailable', detail: 'the provider answered 503' }),
];

async function sample(world: World, attempt: AttemptRow, peakMib: number): Promise<void> {
  const at = Array.from({ length: POINTS }, (_, i) => i * 10);
  const memory = at.map((_, i) =>
    Math.round((peakMib * MIB * (0.6 + 0.4 * wave(i, POINTS) * Math.min(1, i / 15))) / 1),
  );
  await storeSamples(world.orchestrator, [
    {
      attempt_id: attempt.id,
      epoch: attempt.lease_epoch,
      step_seconds: 10,
      at_seconds: at,
      memory_kib: memory,
      cpu_milli: at.map((_, i) => (i === 0 ? null : Math.round(150 + 700 * wave(i * 2, POINTS)))),
      memory_peak_kib: Math.max(...memory),
      cpu_peak_milli: 850,
    },
  ]);
}

export async function storeLog(world: World, attempt: AttemptRow, texts: readonly string[]): Promise<void> {
  const pages = Array.from({ length: Math.ceil(texts.length / 200) }, (_, i) => texts.slice(i * 200, (i + 1) * 200));
  const { chunks, end } = madeLog(pages, Date.UTC(2026, 2, 1, 20));
  await storeChunks(world.orchestrator, attempt, chunks);
  await insertLogEnd(world.orchestrator, attempt.lease_epoch, {
    attemptId: attempt.id,
    chunks: end.chunks,
    lines: end.lines,
    rawBytes: end.raw_bytes,
    linesCut: 0,
    finalHash: end.final_hash,
  });
}

async function failedJob(world: World): Promise<{ job: JobRow; attempt: AttemptRow }> {
  const { job, attempt } = await runningTestAttempt(world);
  await sample(world, attempt, 0.7);
  await storeLog(world, attempt, logOf(PROGRESS_LINES));
  await world.owner.query(`UPDATE attempts SET running_at = now() - interval '15 minutes' WHERE id = $1`, [attempt.id]);
  await world.owner.query(`UPDATE jobs SET created_at = now() - interval '16 minutes' WHERE id = $1`, [job.id]);
  await settle(
    world.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    {
      outcome: 'app_temporary',
      detail: `the provider answered 503; ${EVIL}`,
      exitCode: 69,
      oomKilled: false,
      endMessage: undefined,
    },
    { job: 'dies', spendsAttempt: true, reason: 'attempts_exhausted', detail: `after 3 attempts; ${EVIL}` },
  );
  return { job, attempt };
}

async function completedJobs(world: World): Promise<void> {
  for (let i = 0; i < COMPLETED; i += 1) {
    const { job, attempt } = await runningTestAttempt(world);
    const hoursAgo = Math.floor(24 * (i / COMPLETED) ** 1.3);
    await world.owner.query(`UPDATE attempts SET running_at = now() - make_interval(mins => $2 + 39) WHERE id = $1`, [
      attempt.id,
      hoursAgo * 60 + (i % 9),
    ]);
    await acceptManifest(world.api, job.id, 'folder');
    await settle(
      world.orchestrator,
      { attemptId: attempt.id, epoch: attempt.lease_epoch },
      { outcome: 'succeeded', detail: '', exitCode: 0, oomKilled: false, endMessage: undefined },
      { job: 'stays' },
    );
    await world.owner.query(`UPDATE jobs SET state = 'completed' WHERE id = $1`, [job.id]);
    await world.owner.query(
      `UPDATE jobs SET updated_at = now() - make_interval(mins => $2), created_at = now() - make_interval(mins => $2 + 40 + $3)
       WHERE id = $1`,
      [job.id, hoursAgo * 60, i % 9],
    );
  }
  // Their slots are free again.
  await world.owner.query(`UPDATE engines SET slots_used = 2, launching = 0, memory_used = 2 * 512 * 1024 * 1024`);
}

export async function startNight(): Promise<Night> {
  const api = await startTestApi();
  const world = await makeWorld(api.database, { slots: 10, launchesMax: 4, memoryBytes: 16 * 1024 ** 3 });
  await world.owner.query(`UPDATE engines SET slots = 1000, launches_max = 1000, memory_bytes = 1e15`);
  const keyOf = async (role: KeyRole): Promise<string> =>
    (
      await createKey(world.owner, {
        name: role === 'operator' ? 'night shift' : 'the auditor',
        role,
        createdBy: 'a test',
        days: 1,
      })
    ).key;
  const failed = await failedJob(world);
  for (const reason of ['no_engine_fits', 'attempts_exhausted']) {
    const { job } = await failedJob(world);
    await world.owner.query(`UPDATE jobs SET dead_reason = $2, updated_at = now() - interval '5 hours' WHERE id = $1`, [
      job.id,
      reason,
    ]);
  }
  const running = await runningTestAttempt(world);
  await sample(world, running.attempt, 0.5);
  await testJobIn(world, 'attempting');
  await completedJobs(world);
  for (let i = 0; i < 3; i += 1) await enrolledTestJob(world, `waiting${i}@mail.example`);
  await registerEngine(world.orchestrator, 'hanoi-2', {
    ...TEST_CAPACITY,
    slots: 10,
    launchesMax: 4,
    memoryBytes: 16 * 1024 ** 3,
  });
  await quarantineEngine(world.orchestrator, 'hanoi-2', 'a call takes longer than 5000 ms');
  await world.owner.query(
    `UPDATE engines SET slots = 10, launches_max = 4, memory_bytes = 17179869184, slots_used = 2, launching = 0,
       memory_used = 1073741824, disk_free_bytes = 52000000000, disk_floor_bytes = 1073741824 WHERE name <> 'hanoi-2'`,
  );
  await pay(api, `chuyen tien ${EVIL}`);
  return {
    api,
    world,
    keys: { operator: await keyOf('operator'), auditor: await keyOf('auditor') },
    failed: { ...failed, code: await codeOf(world, failed.job) },
    running: { ...running, code: await codeOf(world, running.job) },
    stop: api.stop,
  };
}
