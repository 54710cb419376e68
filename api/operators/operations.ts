import { listJobs, showJob } from './job-operations.ts';
import type { Operation } from './operation.ts';
import { decideInbox, showInbox, showLedger } from './payment-operations.ts';
import { listShopEvents, resendToShop, showShopEvent } from './shop-operations.ts';
import { showChanges, showEngines } from './watch-operations.ts';

/** In the order of the document. */
export const OPERATIONS: readonly Operation[] = [
  listJobs,
  showJob,
  showInbox,
  decideInbox,
  showLedger,
  showEngines,
  showChanges,
  listShopEvents,
  showShopEvent,
  resendToShop,
];
