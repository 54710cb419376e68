import { Counter, Histogram, type Registry } from 'prom-client';

const REQUEST_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** The API's own metrics. Labels are closed lists: route patterns, codes and reasons, never what a caller sent. */
export function makeMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'http_requests_total',
      help: 'Answered HTTP requests',
      labelNames: ['route', 'method', 'status'] as const,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the first byte of a request to its answer',
      labelNames: ['route', 'method'] as const,
      buckets: REQUEST_BUCKETS_SECONDS,
      registers,
    }),
    webhookRejections: new Counter({
      name: 'webhook_rejections_total',
      help: 'SePay webhooks that were refused',
      labelNames: ['reason'] as const,
      registers,
    }),
    notUnderstood: new Counter({
      name: 'webhooks_not_understood_total',
      help: 'Authentic SePay webhooks that were kept for an operator because they are no transaction, or reuse an id',
      labelNames: ['problem'] as const,
      registers,
    }),
    payments: new Counter({
      name: 'payments_total',
      help: 'Bank transactions received: repeat, applied (underpaid), paid, or the reason why they could not be placed',
      labelNames: ['placement'] as const,
      registers,
    }),
    reconciled: new Counter({
      name: 'reconciled_transactions_total',
      help: "Rows of SePay's list: repeat, told_before (by webhook), or the placement of money whose webhook did not come",
      labelNames: ['placement'] as const,
      registers,
    }),
    reconcileFailures: new Counter({
      name: 'reconcile_failures_total',
      help: "SePay's list could not be read",
      registers,
    }),
    ordersCreated: new Counter({ name: 'orders_created_total', help: 'Orders written', registers }),
    finalizations: new Counter({
      name: 'finalizations_total',
      help: 'Finalize calls: accepted, repeat, or the code of the refusal',
      labelNames: ['result'] as const,
      registers,
    }),
  };
}
export type Metrics = ReturnType<typeof makeMetrics>;
