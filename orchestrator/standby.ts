/**
 * Containers started ahead: compared, empty of secrets, blocked on stdin, used once. They are refilled in the
 * background, one at a time. When their orchestrator dies their stdin ends and they end by themselves.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { containerSpec, type ContainerSpec } from './container-spec.ts';
import type { Engine } from './engine/engine.ts';
import { openContainer, type WaitingContainer } from './handshake.ts';
import type { Limits } from './profiles.ts';

/** The job that took one goes first: starting a container takes all of a small host. */
const REFILL_AFTER_TAKE_MS = 250;
const REFILL_PAUSE_AFTER_FAILURE_MS = 5_000;

export type StandbyPool = {
  /** A waiting container of this profile, from now on the caller's; undefined when there is none. */
  take: (profile: string) => WaitingContainer | undefined;
  size: () => number;
  /** Resolves when the first filling is over, whether or not it succeeded. */
  filled: Promise<void>;
  /** Removes those that wait. */
  stop: () => Promise<void>;
};

export type StandbyOptions = {
  engine: Engine;
  log: Logger;
  /** How many to keep; 0 switches standbys off. */
  size: number;
  profile: string;
  limits: Limits;
  installation: string;
  engineName: string;
  holder: string;
  image: string;
  egressDir: string;
  onChange: (size: number) => void;
};

export const standbySpec = (options: Omit<StandbyOptions, 'engine' | 'log' | 'size' | 'onChange'>): ContainerSpec =>
  containerSpec({ ...options, engine: options.engineName, use: { standbyOf: options.holder, id: randomUUID() } });

export function startStandby(options: StandbyOptions): StandbyPool {
  const { engine, log } = options;
  const waiting = new Set<WaitingContainer>();
  let filling: Promise<void> | undefined;
  let later: NodeJS.Timeout | undefined;
  let stopped = false;

  const removeLater = (id: string): void => {
    engine.remove(id).catch((error: unknown) => log.warn({ err: error, container: id }, 'standby not removed'));
  };

  async function make(): Promise<boolean> {
    const spec = standbySpec(options);
    try {
      const opened = await openContainer(engine, spec, await engine.create(spec));
      if (!opened.ok) throw new Error(`${opened.reason}: ${opened.detail}`);
      const one = opened.waiting;
      if (stopped) {
        one.stdio.destroy();
        removeLater(one.id);
        return false;
      }
      waiting.add(one);
      // Killed from outside, or the engine went away: it is not given to a job.
      one.stdio.once('close', () => {
        if (!waiting.delete(one)) return;
        removeLater(one.id);
        options.onChange(waiting.size);
        refill();
      });
      options.onChange(waiting.size);
      return true;
    } catch (error) {
      log.warn({ err: error }, 'no standby container');
      removeLater(spec.name);
      return false;
    }
  }

  async function fill(): Promise<void> {
    while (!stopped && waiting.size < options.size)
      if (!(await make())) {
        refillIn(REFILL_PAUSE_AFTER_FAILURE_MS);
        return;
      }
  }

  function refillIn(ms: number): void {
    clearTimeout(later);
    later = setTimeout(refill, ms);
  }

  function refill(): void {
    clearTimeout(later);
    if (stopped || options.size === 0) return;
    filling ??= fill().finally(() => {
      filling = undefined;
    });
  }

  refill();
  return {
    filled: filling ?? Promise.resolve(),
    size: () => waiting.size,
    take: (profile) => {
      const [one] = waiting;
      if (profile !== options.profile || one === undefined) return undefined;
      waiting.delete(one);
      options.onChange(waiting.size);
      refillIn(REFILL_AFTER_TAKE_MS);
      return one;
    },
    stop: async () => {
      stopped = true;
      clearTimeout(later);
      await filling;
      clearTimeout(later);
      const rest = [...waiting];
      waiting.clear();
      for (const one of rest) one.stdio.destroy();
      await Promise.all(rest.map((one) => engine.remove(one.id)));
    },
  };
}
