import { Gauge, type Registry } from 'prom-client';

/** The gauge of how old the secret in use is, by name. `madeAt` is asked at each scrape; undefined: not known. */
export function makeSecretAges(registry: Registry) {
  const secrets = new Map<string, () => Date | undefined>();
  registry.registerMetric(
    new Gauge({
      name: 'secret_age_seconds',
      help: 'Since the secret in use was put in place',
      labelNames: ['secret'] as const,
      registers: [],
      collect() {
        for (const [secret, madeAt] of secrets) {
          const at = madeAt();
          if (at) this.set({ secret }, Math.max(0, (Date.now() - at.getTime()) / 1_000));
        }
      },
    }),
  );
  return (name: 'sepay' | 'master' | 'drive' | 'shop_webhook' | 'api_key', madeAt: () => Date | undefined): void =>
    void secrets.set(name, madeAt);
}
