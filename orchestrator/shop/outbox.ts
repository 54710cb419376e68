/**
 * Tells the shop what waits to be told, a few at a time. Not a task of graphile-worker: a shop that hangs would hold the
 * slots that start attempts, and a row in that queue for each payment would cost the payment's transaction a third more.
 *
 * Asks the database when it is notified of an event and when the next try falls due, and not otherwise.
 */
import { claimShopEvents, nextShopTryMs } from '../../sql/shop.ts';
import { deliver, type DeliverDeps } from './deliver.ts';

const AT_ONCE = 4;
/** Longer than a try may take: looking up a name, connecting, the answer, and writing it down. */
export const TRY_LEASE_SECONDS = 30;
const AGAIN_AFTER_FAILURE_MS = 5_000;
const PAUSE_MIN_MS = 50;
const TIMER_MAX_MS = 60 * 60 * 1_000;

export type Outbox = { kick: () => void; stop: () => Promise<void> };

export function startOutbox(deps: DeliverDeps, leaseSeconds = TRY_LEASE_SECONDS): Outbox {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  /** Until nothing is due; then how long until something is. */
  async function pass(): Promise<number | undefined> {
    for (;;) {
      const claimed = await claimShopEvents(deps.pool, AT_ONCE, leaseSeconds);
      if (claimed.length === 0) return nextShopTryMs(deps.pool);
      await Promise.all(claimed.map((event) => deliver(deps, event)));
      // What is left is due and anybody's.
      if (stopped) return undefined;
    }
  }
  async function run(): Promise<void> {
    let pauseMs: number | undefined = AGAIN_AFTER_FAILURE_MS;
    try {
      pauseMs = await pass();
    } catch (error) {
      deps.log.warn({ err: error }, 'events for the shop not looked at, trying again');
    }
    running = undefined;
    if (stopped) return;
    if (again) kick();
    else if (pauseMs !== undefined) timer = setTimeout(kick, Math.min(Math.max(pauseMs, PAUSE_MIN_MS), TIMER_MAX_MS));
  }
  function kick(): void {
    if (stopped) return;
    if (running) {
      again = true;
      return;
    }
    again = false;
    clearTimeout(timer);
    running = run();
  }

  kick();
  return {
    kick,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
