/** Money whose webhook never came is found in SePay's list: read while orders await payment, and not otherwise. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { keepNotUnderstood } from '../../sql/payments.ts';
import type { Pool } from '../../sql/pool.ts';
import { claimReading, completeReading, ordersAwaitPayment } from '../../sql/reconciliation.ts';
import type { Metrics } from '../metrics.ts';
import type { News } from '../news.ts';
import { recordPayment } from './record-payment.ts';
import { fetchPage, parseListRow, rowId, whatRowSays, type SepayApi } from './sepay-list.ts';

const PAGES_MAX = 500;
/** SePay allows three requests a second. */
const BETWEEN_PAGES_MS = 400;
const LISTEN_AGAIN_MS = 5_000;
const RAW_MAX_BYTES = 16 * 1024;
/** A claim is due a moment before the timers of the processes. */
const CLAIM_EARLY_SECONDS = 1;

export type ReconcileDeps = {
  pool: Pool;
  log: Logger;
  metrics: Metrics;
  sepayApi: SepayApi;
  ownAccountNumber: string;
  periodSeconds: number;
};

async function takeRow(deps: ReconcileDeps, row: unknown): Promise<void> {
  const { pool, log, metrics, ownAccountNumber } = deps;
  const parsed = parseListRow(row);
  let problem: 'not_a_transaction' | 'id_reused' = 'not_a_transaction';
  if (parsed.transaction) {
    const { transaction } = parsed;
    const recorded = await recordPayment(pool, transaction, { authMode: 'fetched', ownAccountNumber });
    if (recorded.placement !== 'id_reused') {
      metrics.reconciled.inc({ placement: recorded.placement });
      if (recorded.placement !== 'repeat' && recorded.placement !== 'told_before')
        log.warn({ event: transaction.externalId, ...recorded }, 'payment found whose webhook did not come');
      return;
    }
    problem = 'id_reused';
  }
  const raw = Buffer.from(JSON.stringify(row)).subarray(0, RAW_MAX_BYTES);
  const wrongFields = parsed.wrongFields ?? ['id'];
  if (await keepNotUnderstood(pool, { source: 'sepay_api', problem, wrongFields, raw, sameAs: whatRowSays(row) }))
    log.error({ problem, wrongFields }, 'row of the list was not understood');
}

/** Reads the list once, if it is due and no other process has. Answers whether it read. Throws when SePay is away. */
export async function reconcileOnce(deps: ReconcileDeps, stop: AbortSignal): Promise<boolean> {
  const from = await claimReading(deps.pool, Math.max(0, deps.periodSeconds - CLAIM_EARLY_SECONDS));
  if (from === undefined) return false;
  let sinceId: string | undefined;
  for (let pages = 1; pages <= PAGES_MAX; pages += 1) {
    const { rows, hasMore } = await fetchPage(deps.sepayApi, { from, sinceId }, stop);
    for (const row of rows) await takeRow(deps, row);
    if (!hasMore || rows.length === 0) {
      await completeReading(deps.pool);
      return true;
    }
    // Behind the last row that says which it is; those after it are read again. A cursor that does not move would read for ever.
    const id = rows.map(rowId).findLast((one) => one !== undefined);
    if (id === undefined || id === sinceId) throw new Error("SePay's list does not go on");
    sinceId = id;
    await sleep(BETWEEN_PAGES_MS, undefined, { signal: stop });
  }
  throw new Error(`SePay's list has more than ${PAGES_MAX} pages`);
}

/** Reads once in each period while orders await payment; a timer that stands still asks nobody anything. */
export function startReconciling(deps: ReconcileDeps, news: News): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    try {
      if (!(await ordersAwaitPayment(deps.pool, deps.periodSeconds))) return;
      arm();
      await reconcileOnce(deps, stopping.signal);
    } catch (error) {
      if (stopping.signal.aborted) return;
      deps.metrics.reconcileFailures.inc();
      deps.log.error({ err: error }, "SePay's list could not be read");
      arm();
    }
  }
  function arm(afterMs = deps.periodSeconds * 1_000): void {
    if (timer || stopping.signal.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      running = run();
    }, afterMs);
  }
  async function listen(): Promise<void> {
    if (stopping.signal.aborted) return;
    try {
      await news.listenToAll({ moved: arm, end: () => void again() });
      // What moved before we listened; also after a restart.
      arm();
    } catch (error) {
      deps.log.warn({ err: error }, 'orders are not heard of');
      void again();
    }
  }
  async function again(): Promise<void> {
    await sleep(LISTEN_AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    await listen();
  }

  void listen();
  return {
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
