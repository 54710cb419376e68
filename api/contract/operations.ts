import * as catalogue from '../operators/catalogue-operations.ts';
import { showChanges } from '../operators/change-operations.ts';
import { listDeadLetters, redriveDeadLetters } from '../operators/dead-letter-operations.ts';
import { cancelOne, retryOne, setPriority } from '../operators/intervention-operations.ts';
import { listJobs, showJob } from '../operators/job-operations.ts';
import { listLogReads, proveLog, readLogs, showLogLines } from '../operators/log-operations.ts';
import { showOverview } from '../operators/overview-operation.ts';
import { decideInbox, showInbox, showLedger } from '../operators/payment-operations.ts';
import * as queue from '../operators/queue-operations.ts';
import { listReads, listSessions } from '../operators/read-operations.ts';
import { showSamples, suggestProfiles } from '../operators/sample-operations.ts';
import { listShopEvents, resendToShop, showShopEvent } from '../operators/shop-operations.ts';
import { showSlo } from '../operators/slo-operation.ts';
import * as orders from '../orders/order-operations.ts';
import type { Operation } from './operation.ts';

/** In the order of the document. */
export const OPERATIONS: readonly Operation[] = [
  catalogue.showCourses,
  orders.place,
  orders.show,
  orders.cancel,
  orders.watch,
  orders.qrAsSvg,
  orders.qrAsPng,
  orders.list,
  listJobs,
  showJob,
  cancelOne,
  retryOne,
  setPriority,
  showSamples,
  readLogs,
  showLogLines,
  proveLog,
  listLogReads,
  listDeadLetters,
  redriveDeadLetters,
  showInbox,
  decideInbox,
  showLedger,
  catalogue.showCatalogue,
  catalogue.putCatalogue,
  queue.showQueue,
  queue.pauseQueue,
  queue.resumeQueue,
  queue.showEngines,
  queue.drainEngine,
  queue.undrainEngine,
  suggestProfiles,
  showOverview,
  showSlo,
  listShopEvents,
  showShopEvent,
  resendToShop,
  showChanges,
  listReads,
  listSessions,
];
