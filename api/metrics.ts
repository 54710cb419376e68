import { Counter, Histogram, type Registry } from 'prom-client';

const REQUEST_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** The API's own metrics. Labels are closed lists: route patterns, codes and reasons, never what a caller sent. */
export function makeMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
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
  // A counter that first appears at 1 has not grown as far as Prometheus knows: whatever has an alert begins at 0.
  for (const reason of ['signature_missing', 'signature_wrong', 'timestamp_out_of_window', 'api_key_wrong'])
    metrics.webhookRejections.inc({ reason }, 0);
  for (const problem of ['not_json', 'not_a_transaction', 'id_reused']) metrics.notUnderstood.inc({ problem }, 0);
  metrics.requestSeconds.zero({ route: '/webhooks/sepay', method: 'POST' });
  metrics.payments.inc({ placement: 'paid' }, 0);
  metrics.finalizations.inc({ result: 'accepted' }, 0);
  return metrics;
}
export type Metrics = ReturnType<typeof makeMetrics>;
