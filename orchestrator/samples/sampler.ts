/**
 * Looks every few seconds at the memory and processor time of the containers this process follows, and stores what it saw
 * in one statement. While nothing is followed there is no timer. A container or a daemon that does not answer costs a
 * look, never the next one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AttemptRow } from '../../sql/attempts.ts';
import type { SampledAttempt, StoredSamples } from '../../sql/samples.ts';
import type { Usage } from '../engine/engine.ts';
import { addSample, type Series } from './series.ts';

/** How many containers are asked about at once; each answer costs the daemon a walk through a control group. */
const LOOKS_AT_ONCE = 4;
/** Then whoever was not asked yet waits for the next pass. */
const PASS_LIMIT_MS = 8_000;
const KIB = 1024;
const NANOS_PER_MILLI = 1_000_000;

export type SamplerDeps = {
  log: Logger;
  everyMs: number;
  /** Undefined of a container that does not run. */
  usage: (containerId: string) => Promise<Usage | undefined>;
  /** While the engine says nothing to anybody nobody is asked. */
  isSilent: () => boolean;
  /** What an earlier observer has stored. */
  stored: (attemptId: string) => Promise<StoredSamples | undefined>;
  store: (samples: readonly SampledAttempt[]) => Promise<void>;
  passLimitMs?: number;
};

export type Sampler = {
  /** Answers how to stop looking at it. */
  watch: (attempt: Pick<AttemptRow, 'id' | 'lease_epoch'>, containerId: string) => () => void;
  stop: () => Promise<void>;
};

type Watched = {
  attemptId: string;
  epoch: number;
  containerId: string;
  series: Series;
  /** By our own clock: when the series began. */
  beganAtMs: number;
  /** An earlier observer may have stored some. */
  isContinued: boolean;
  before: Usage | undefined;
};

function cpuMilli(before: Usage | undefined, now: Usage): number | null {
  const nanos = before ? (now.atMs - before.atMs) * NANOS_PER_MILLI : 0;
  return before && nanos > 0 ? Math.max(0, Math.round((1_000 * (now.cpuNanos - before.cpuNanos)) / nanos)) : null;
}

const rowOf = ({ attemptId, epoch, series: { stepSeconds, points } }: Watched): SampledAttempt => {
  const cpu = points.flatMap((point) => point.cpuMilli ?? []);
  return {
    attempt_id: attemptId,
    epoch,
    step_seconds: stepSeconds,
    at_seconds: points.map((point) => point.atSeconds),
    memory_kib: points.map((point) => point.memoryKib),
    cpu_milli: points.map((point) => point.cpuMilli),
    memory_peak_kib: Math.max(...points.map((point) => point.memoryKib)),
    cpu_peak_milli: cpu.length === 0 ? null : Math.max(...cpu),
  };
};

export function startSampler(deps: SamplerDeps): Sampler {
  const { everyMs, passLimitMs = PASS_LIMIT_MS } = deps;
  const watched = new Set<Watched>();
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let passing: Promise<void> | undefined;

  async function goOn(one: Watched): Promise<void> {
    if (!one.isContinued) return;
    const found = await deps.stored(one.attemptId);
    one.isContinued = false;
    if (!found) return;
    one.beganAtMs = performance.now() - found.age_seconds * 1_000;
    one.series = {
      stepSeconds: found.step_seconds,
      points: found.at_seconds.map((atSeconds, i) => ({
        atSeconds,
        memoryKib: found.memory_kib[i] ?? 0,
        cpuMilli: found.cpu_milli[i] ?? null,
      })),
    };
  }

  async function look(one: Watched, signal: AbortSignal): Promise<Watched | undefined> {
    const usage = await deps.usage(one.containerId);
    // The pass went on without this answer.
    if (!usage || signal.aborted || !watched.has(one)) return undefined;
    await goOn(one);
    if (one.series.points.length === 0) one.beganAtMs = performance.now();
    one.series = addSample(one.series, {
      atSeconds: Math.floor((performance.now() - one.beganAtMs) / 1_000),
      memoryKib: Math.round(usage.memoryBytes / KIB),
      cpuMilli: cpuMilli(one.before, usage),
    });
    one.before = usage;
    return one;
  }

  async function pass(): Promise<void> {
    if (deps.isSilent()) return;
    const over = AbortSignal.any([stopped.signal, AbortSignal.timeout(passLimitMs)]);
    const limit = sleep(passLimitMs, undefined, { signal: over }).catch(() => undefined);
    const seen: Watched[] = [];
    const waiting = [...watched];
    const oneByOne = async (): Promise<void> => {
      for (let one = waiting.shift(); one && !over.aborted; one = waiting.shift()) {
        const found = await look(one, over).catch((error: unknown) => {
          deps.log.debug({ err: error, attempt: one?.attemptId }, 'not sampled');
          return undefined;
        });
        if (found) seen.push(found);
      }
    };
    await Promise.race([limit, Promise.all(Array.from({ length: LOOKS_AT_ONCE }, oneByOne))]);
    const rows = seen.filter((one) => watched.has(one)).map(rowOf);
    if (rows.length > 0) await deps.store(rows);
  }

  function next(): void {
    if (timer || passing || watched.size === 0 || stopped.signal.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      passing = pass()
        .catch((error: unknown) => deps.log.warn({ err: error }, 'samples not stored'))
        .finally(() => {
          passing = undefined;
          next();
        });
    }, everyMs);
  }

  return {
    watch: (attempt, containerId) => {
      const one: Watched = {
        attemptId: attempt.id,
        epoch: attempt.lease_epoch,
        containerId,
        series: { stepSeconds: Math.max(1, Math.round(everyMs / 1_000)), points: [] },
        beganAtMs: 0,
        isContinued: attempt.lease_epoch > 1,
        before: undefined,
      };
      watched.add(one);
      next();
      return () => {
        watched.delete(one);
        if (watched.size > 0) return;
        clearTimeout(timer);
        timer = undefined;
      };
    },
    stop: async () => {
      stopped.abort();
      clearTimeout(timer);
      await passing;
    },
  };
}
