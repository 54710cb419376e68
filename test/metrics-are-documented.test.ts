import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { makeMetrics as makeApiMetrics } from '../api/metrics.ts';
import { makeMetrics as makeEgressMetrics } from '../egress/metrics.ts';
import { makeSecretAges } from '../keys/secret-ages.ts';
import { makeMetrics as makeOrchestratorMetrics } from '../orchestrator/metrics.ts';

test('every metric of ours stands in docs/metrics.md, and nothing stands there that is not', () => {
  const api = new Registry();
  makeApiMetrics(api);
  // The api's and the orchestrators'.
  makeSecretAges(api);
  const registries = [api, makeEgressMetrics().registry, makeOrchestratorMetrics().registry];
  const names = registries
    .flatMap((registry) => registry.getMetricsAsArray().map((metric) => metric.name))
    .filter((name) => !/^(process|nodejs)_/.test(name));
  const page = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([a-z_]+)`/gm)].map((match) => match[1] ?? '');
  expect(documented.toSorted()).toEqual(names.toSorted());
});
