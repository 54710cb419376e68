/**
 * Restores the truth: queues due tasks that were lost with their process, takes over attempts whose orchestrator has
 * gone quiet, looks after what this process holds, ends what is overdue, sweeps strays.
 *
 * Works only while something is open. An idle installation sends no statement from here: a notification of a moved
 * job, or our own timer for the next due step, starts the next pass.
 */
import type { Logger } from 'pino';
import { adoptExpired, renewLeases, takeFromGone } from '../sql/leases.ts';
import { recordStop, type AttemptRow } from '../sql/attempts.ts';
import { recordDiskFree, releaseEngine, roomOn } from '../sql/engines.ts';
import { figures, type Figures } from '../sql/figures.ts';
import { dueSteps, nextDueMs, type JobState } from '../sql/jobs.ts';
import { waitingJobs } from '../sql/queue.ts';
import type { Pool } from '../sql/pool.ts';
import { enqueueTask, type TaskName } from '../sql/tasks.ts';
import { buryUnfit } from '../sql/unfit.ts';
import { LABEL } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import type { Following } from './following.ts';
import { makeMasker } from './logs/masker.ts';
import { settleWithoutContainer } from './observe.ts';
import { settleAttempt, type SettleDeps } from './settle-attempt.ts';
import { repairOf } from './repairs.ts';
import { sweep } from './sweep.ts';

const PASS_EVERY_MS = 1_000;
/** From a kick to its pass: right away it would compete with the very tasks that move what moved. */
const KICK_AFTER_MS = 500;
const PAUSE_MIN_MS = 50;
const SWEEP_EVERY_MS = 30_000;
const DUE_STEPS_MAX = 100;
/** Longer than an orchestrator takes to be started again. */
const GONE_AFTER_SECONDS = 60;
/** So long an engine that could hold it may take to make itself known. */
const UNFIT_AFTER_SECONDS = 60;

export type ReconcileDeps = SettleDeps & {
  pool: Pool;
  log: Logger;
  engine: Engine;
  /** It does not answer this process; others may reach it. */
  isEngineSilent: () => boolean;
  engineName: string;
  installation: string;
  holder: string;
  leaseSeconds: number;
  following: Following;
  launching: ReadonlySet<string>;
  /** The secrets of an adopted attempt, as far as they can be known. */
  secretsOf: (attempt: AttemptRow) => string[];
  /** Free bytes where the engine keeps its containers. */
  diskFreeBytes: () => Promise<number>;
  measureSkew: () => Promise<void>;
  /** Begins to make the n-th fresh Drive token of an attempt; asked again in each pass until it is there. */
  giveToken: (attemptId: string, n: number) => void;
  onAdopted: (orphanedSeconds: number) => void;
  /** The leases are renewed; `held` attempts are this process's. */
  onRenewed: (held: number) => void;
  onSlots: (free: number) => void;
  onFigures: (seen: Figures) => void;
  onPass: () => void;
};

export type Reconcile = {
  /** Something may have changed: look soon. Cheap; the calls of a while become one pass. */
  kick: () => void;
  stop: () => Promise<void>;
};

/** What may hang on a daemon goes beside the passes, which keep the leases: one of a kind at a time. */
type Beside = (kind: string, work: () => Promise<unknown>) => void;

const taskOf = (state: JobState, granted: boolean): TaskName =>
  state === 'delivering' ? (granted ? 'send-mail' : 'grant-access') : 'enrol';

async function queueDueTasks(deps: ReconcileDeps, beside: Beside): Promise<void> {
  for (const step of await dueSteps(deps.pool, DUE_STEPS_MAX))
    await enqueueTask(deps.pool, taskOf(step.state, step.granted), step.id);
  const { free, quarantined } = await roomOn(deps.pool, deps.engineName);
  deps.onSlots(free);
  if (quarantined) beside('quarantine', () => liftQuarantine(deps));
  if (free > 0) for (const id of await waitingJobs(deps.pool, free)) await enqueueTask(deps.pool, 'start-attempt', id);
}

/**
 * Who put the engine into quarantine may have died since, or could not write that it answers again. Any orchestrator that
 * reaches it lifts it; one that does not begins nothing by itself.
 */
async function liftQuarantine(deps: ReconcileDeps): Promise<void> {
  const answers = await deps.engine.ping().then(
    () => true,
    () => false,
  );
  if (answers && (await releaseEngine(deps.pool, deps.engineName)))
    deps.log.info({ engine: deps.engineName }, 'quarantine lifted');
}

/** Removed, or at least not running any more: the sweep takes the rest of what cannot be removed now. */
async function end(engine: Engine, containerId: string): Promise<void> {
  try {
    await engine.remove(containerId);
  } catch (error) {
    const state = await engine.inspect(containerId);
    if (state && state.status !== 'exited' && state.status !== 'dead' && state.status !== 'created') throw error;
  }
}

async function giveUp(deps: ReconcileDeps, attempt: AttemptRow): Promise<void> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const mine = await deps.engine.list({ [LABEL.installation]: deps.installation, [LABEL.attempt]: attempt.id });
  const containers = new Set([...(attempt.container_id ? [attempt.container_id] : []), ...mine.map(({ id }) => id)]);
  for (const id of containers) await end(deps.engine, id);
  const failure = {
    outcome: 'orchestrator_lost',
    detail: 'its orchestrator ended while the container was being made',
  } as const;
  await settleAttempt(deps, lease, { exitCode: null, oomKilled: false, end: undefined, failure });
}

async function stopContainer(deps: ReconcileDeps, attempt: AttemptRow, stopping: Set<string>): Promise<void> {
  const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
  const recorded = await recordStop(deps.pool, lease, attempt.stop_reason ?? 'deadline');
  if (!attempt.container_id || !recorded) return;
  stopping.add(attempt.id);
  deps.log.warn({ job: attempt.job_id, attempt: attempt.id, reason: recorded.stop_reason }, 'stopping a container');
  // Not awaited: the grace would hold up the pass. The next pass tries again if the engine refused.
  deps.engine
    .stop(attempt.container_id, attempt.limits.graceSeconds)
    .catch((error: unknown) => deps.log.error({ err: error, attempt: attempt.id }, 'could not stop'))
    .finally(() => stopping.delete(attempt.id))
    .catch(() => undefined);
}

/**
 * The job of an engine that is gone runs again elsewhere. What may still run over there can deliver nothing: its attempt is
 * settled, its calls are refused, and the first sweep over there removes it.
 */
async function settleGone(deps: ReconcileDeps): Promise<void> {
  const { pool, engineName, holder, leaseSeconds } = deps;
  for (const attempt of await takeFromGone(pool, engineName, holder, leaseSeconds, GONE_AFTER_SECONDS)) {
    const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
    const detail = `nobody has looked after engine ${attempt.engine} for ${GONE_AFTER_SECONDS} s`;
    deps.log.error({ job: attempt.job_id, attempt: attempt.id, engine: attempt.engine }, 'its engine is gone');
    // What fails here is held by us from now on, and mended as what is our own.
    await settleWithoutContainer(deps, lease, detail).catch((error: unknown) =>
      deps.log.error({ err: error, attempt: attempt.id }, 'not settled, trying again'),
    );
  }
}

async function lookAfterOwn(deps: ReconcileDeps, stopping: Set<string>, beside: Beside): Promise<void> {
  const adopted = await adoptExpired(deps.pool, deps.engineName, deps.holder, deps.leaseSeconds);
  if (adopted.length > 0) {
    for (const attempt of adopted) deps.onAdopted(attempt.orphaned_seconds);
    deps.log.info({ attempts: adopted.map((attempt) => attempt.id) }, 'adopted');
  }
  const held = await renewLeases(deps.pool, deps.holder, deps.leaseSeconds);
  deps.onRenewed(held.length);
  deps.following.keepOnly(held);
  for (const attempt of held) {
    if (attempt.token_wanted !== null) deps.giveToken(attempt.id, attempt.token_wanted);
    const repair = repairOf(attempt, {
      followed: deps.following.has(attempt.id, attempt.lease_epoch),
      launching: deps.launching.has(attempt.id),
      stopping: stopping.has(attempt.id),
    });
    try {
      if (repair === 'follow' && attempt.container_id)
        deps.following.follow(attempt, attempt.container_id, makeMasker(deps.secretsOf(attempt)));
      if (repair === 'give_up') beside(`give up ${attempt.id}`, () => giveUp(deps, attempt));
      if (repair === 'stop') await stopContainer(deps, attempt, stopping);
    } catch (error) {
      // One that cannot be mended does not keep the others waiting; the next pass tries again.
      deps.log.error({ err: error, attempt: attempt.id, repair }, 'repair failed, trying again');
    }
  }
}

export function startReconcile(deps: ReconcileDeps): Reconcile {
  const stopping = new Set<string>();
  const inBackground = new Map<string, Promise<void>>();
  function beside(kind: string, work: () => Promise<unknown>): void {
    if (inBackground.has(kind)) return;
    const done = work()
      .then(() => undefined)
      .catch((error: unknown) => deps.log.warn({ err: error, work: kind }, 'failed, trying again'))
      .finally(() => inBackground.delete(kind));
    inBackground.set(kind, done);
  }
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;
  let sweptAt = 0;
  let plannedAt = Number.POSITIVE_INFINITY;

  async function pass(): Promise<void> {
    // Who cannot reach the engine can look after nothing on it: its leases end, and another that can goes on.
    if (!deps.isEngineSilent()) {
      await settleGone(deps);
      await lookAfterOwn(deps, stopping, beside);
    }
    await queueDueTasks(deps, beside);
    deps.onFigures(await figures(deps.pool));
    deps.onPass();
    if (Date.now() - sweptAt >= SWEEP_EVERY_MS) {
      sweptAt = Date.now();
      await deps.measureSkew();
      await recordDiskFree(deps.pool, deps.engineName, await deps.diskFreeBytes());
      for (const job of await buryUnfit(deps.pool, UNFIT_AFTER_SECONDS)) {
        deps.onJobEnded({ result: job.dead_reason, retried: job.attempts_started > 1 });
        deps.log.error({ job: job.id, reason: job.dead_reason, detail: job.dead_detail }, 'job is dead');
      }
      beside('sweep', () => sweep(deps, { dryRun: false }));
    }
  }

  /** How long until the next pass; undefined to sleep until somebody kicks. */
  const pauseMs = async (): Promise<number | undefined> => {
    const due = await nextDueMs(deps.pool);
    if (due !== undefined) return Math.min(due, PASS_EVERY_MS);
    // Before going to sleep: what somebody who died in the last moments left.
    beside('sweep', () => sweep(deps, { dryRun: false }));
    return undefined;
  };

  async function passAndPlan(): Promise<void> {
    let pause: number | undefined = PASS_EVERY_MS;
    try {
      await pass();
      pause = await pauseMs();
    } catch (error) {
      deps.log.warn({ err: error }, 'reconcile failed, trying again');
    }
    running = undefined;
    if (stopped) return;
    if (again) pause = Math.min(pause ?? KICK_AFTER_MS, KICK_AFTER_MS);
    if (pause !== undefined) plan(Math.max(pause, PAUSE_MIN_MS));
  }

  function plan(ms: number): void {
    clearTimeout(timer);
    plannedAt = performance.now() + ms;
    timer = setTimeout(() => {
      plannedAt = Number.POSITIVE_INFINITY;
      again = false;
      running = passAndPlan();
    }, ms);
  }

  function kick(): void {
    if (stopped) return;
    if (running) again = true;
    else if (plannedAt > performance.now() + KICK_AFTER_MS) plan(KICK_AFTER_MS);
  }

  plan(0);
  return {
    kick,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
