/** Debian's Prometheus on monitoring/, with the targets of a run and a clock that runs as fast as a test can wait. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';

const MONITORING = fileURLToPath(new URL('../monitoring', import.meta.url));
const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 100;

export type Sample = { labels: Readonly<Record<string, string>>; value: number };
export type Alert = { labels: Readonly<Record<string, string>>; state: 'pending' | 'firing' };
export type Prometheus = {
  url: string;
  /** What an expression answers now; a scalar has no labels. Throws when Prometheus refuses it. */
  query: (expression: string) => Promise<Sample[]>;
  alerts: () => Promise<Alert[]>;
  /** Where the processes of a job answer, `host:port`; seen within seconds. */
  setTargets: (job: string, targets: readonly string[]) => void;
  stop: () => Promise<void>;
};

/** Intervals, ranges and waits of a file shortened; thresholds and expressions stay what they are. */
export const faster = (text: string): string =>
  text
    .replace(/^(\s*(?:scrape_interval|evaluation_interval|scrape_timeout): ).*$/gm, '$1250ms')
    .replace(/file_sd_configs: \[\{ /g, 'file_sd_configs: [{ refresh_interval: 1s, ')
    .replace(/^(\s*for: ).*$/gm, '$11s')
    .replace(/\[\d+[mhd]\]/g, '[20s]');

/** `targets` by job: where its processes answer, `host:port`. Throws when it is not ready in time. */
export async function startPrometheus(targets: Readonly<Record<string, readonly string[]>>): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'lading-prometheus-'));
  const config = join(dir, 'monitoring');
  cpSync(MONITORING, config, { recursive: true });
  const setTargets = (job: string, list: readonly string[]): void =>
    writeFileSync(join(config, 'targets', `${job}.yml`), JSON.stringify([{ targets: list }]));
  for (const [job, list] of Object.entries(targets)) setTargets(job, list);
  const rules = readdirSync(join(config, 'rules')).map((name) => join('rules', name));
  for (const name of ['prometheus.yml', ...rules])
    writeFileSync(join(config, name), faster(readFileSync(join(config, name), 'utf8')));

  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const said: string[] = [];
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(config, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      said.push(String(error));
      resolve();
    });
  });
  let isOver = false;
  void ended.then(() => (isOver = true));

  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(new URL(path, url));
    const body = (await answer.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(killer);
    rmSync(dir, { recursive: true, force: true });
  };

  const giveUpAt = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const isReady = await fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) break;
    if (isOver || Date.now() > giveUpAt) {
      await stop();
      throw new Error(`Prometheus is not ready\n${said.join('').slice(-2_000)}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
  return {
    url,
    query: async (expression) => {
      type Value = [number, string];
      const { resultType, result } = await get<{
        resultType: string;
        result: Value | { metric: Record<string, string>; value: Value }[];
      }>(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      if (resultType === 'scalar') return [{ labels: {}, value: Number((result as Value)[1]) }];
      return (result as { metric: Record<string, string>; value: Value }[]).map(({ metric, value }) => ({
        labels: metric,
        value: Number(value[1]),
      }));
    },
    alerts: async () => (await get<{ alerts: Alert[] }>('/api/v1/alerts')).alerts,
    setTargets,
    stop,
  };
}
