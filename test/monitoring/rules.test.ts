import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MS = 30_000;
const promtool = (...args: string[]): string =>
  execFileSync('promtool', args, { cwd: root, encoding: 'utf8', timeout: LIMIT_MS, stdio: 'pipe' });

const rules = readFileSync(`${root}/monitoring/rules/alerts.yml`, 'utf8');
const alerts = rules.split(/^ *- alert: /m).slice(1);

test('promtool takes the configuration and the rules', () => {
  expect(promtool('check', 'config', 'monitoring/prometheus.yml')).toContain('is valid prometheus config file');
  expect(promtool('check', 'rules', 'monitoring/rules/recording.yml', 'monitoring/rules/alerts.yml')).not.toContain(
    'FAIL',
  );
});

test('the rules answer as monitoring/rules-test.yml says', () => {
  expect(promtool('test', 'rules', 'monitoring/rules-test.yml')).toContain('SUCCESS');
});

describe.each(['runbook.md', 'runbook.vi.md'])('%s', (page) => {
  const anchors = new Set(
    [...readFileSync(`${root}/docs/${page}`, 'utf8').matchAll(/<a id="([^"]+)">/g)].map((m) => m[1]),
  );
  test.each(alerts.map((text) => [text.split('\n')[0] ?? '', text]))('has a row for %s', (_, text) => {
    expect(text).toMatch(/severity: (critical|warning)\b/);
    expect(text).toMatch(/summary: \S/);
    expect(anchors).toContain(/runbook: docs\/runbook\.md#([a-z-]+)/.exec(text)?.[1]);
  });
});
