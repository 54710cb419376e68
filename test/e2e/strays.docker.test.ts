/** Containers that nobody owns, and one that cannot be taken away. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { LABEL } from '../../orchestrator/container-spec.ts';
import { makeDockerEngine } from '../../orchestrator/engine/docker.ts';
import { sweep } from '../../orchestrator/sweep.ts';
import { cancelJob } from '../moves.ts';
import { inTransaction } from '../../sql/pool.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import { settledAttempt, startFixtureE2e, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, docker, DOCKER_HOST, eventually, runningAttempt } from './world.ts';

const ENGINE = 'local';
const LOCK = 4_712;

/** The daemon refuses to remove this one. */
let stuck: string | undefined;
let refusals = 0;
/** Of this one's removal the daemon never hears, and nobody is answered. */
let hung: string | undefined;
let swallowed = 0;
let proxy: EngineProxy;
let e2e: FixtureE2e;
let holder: pg.Client;
beforeAll(async () => {
  proxy = await startEngineProxy(DOCKER_HOST, (chunk) => {
    const text = chunk.toString('latin1');
    if (hung !== undefined && text.startsWith('DELETE ') && text.includes(`/containers/${hung}`)) {
      swallowed += 1;
      return Buffer.alloc(0);
    }
    if (stuck === undefined || !text.startsWith('DELETE ') || !text.includes(`/containers/${stuck}`)) return chunk;
    refusals += 1;
    return Buffer.from(text.replace(/^DELETE \/v[\d.]+/, 'DELETE /v9.99'), 'latin1');
  });
  e2e = await startFixtureE2e({ dockerHost: proxy.dockerHost, leaseSeconds: 4, slots: 4 });
  holder = new pg.Client({ connectionString: e2e.system.databaseUrl('lading_owner') });
  await holder.connect();
}, 60_000);
afterAll(async () => {
  stuck = undefined;
  await holder.end();
  await e2e.stop();
  await proxy.stop();
}, 60_000);

test('a container that cannot be removed keeps its own attempt open, and nothing else waiting', async () => {
  await holder.query('SELECT pg_advisory_lock($1)', [LOCK]);
  await holder.query(
    `CREATE FUNCTION hold_running() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${LOCK}); RAISE EXCEPTION 'never written'; END $$`,
  );
  await holder.query(
    `CREATE TRIGGER hold_running BEFORE UPDATE ON attempts FOR EACH ROW
     WHEN (OLD.state = 'creating' AND NEW.state = 'running') EXECUTE FUNCTION hold_running()`,
  );
  // It has its envelope, and that it runs is never written: the orchestrator dies while it waits, then the statement fails.
  const order = await e2e.buy('sleep-ms-600000');
  await eventually('the statement is held', 30_000, async () => {
    const { rows } = await holder.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK} AND NOT granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.length > 0 ? true : undefined;
  });
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  await holder.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  await holder.query('DROP TRIGGER hold_running ON attempts');
  const [lost] = await attemptsOf(e2e.pool, order.code);
  expect(lost?.state).toBe('creating');
  stuck = lost?.container_id ?? undefined;

  await e2e.system.startOrchestrator('orchestrator-1');
  await eventually('it was tried twice', 30_000, async () => (refusals >= 2 ? true : undefined));
  // Its second and third attempt begin from a reconcile pass.
  const other = await e2e.buy('exit-3', 'standard', 'other@shop.example');
  const seen = await e2e.customer.waitFor(other, ['failed', 'completed'], 60_000);
  expect(seen.failure?.reason).toBe('attempts_exhausted');
  expect((await attemptsOf(e2e.pool, order.code)).map((one) => one.state)).toEqual(['creating']);

  const was = stuck;
  stuck = undefined;
  const settled = await settledAttempt(e2e.pool, order.code);
  expect([settled.outcome, settled.container_id]).toEqual(['orchestrator_lost', was]);
  const next = await runningAttempt(e2e.pool, order.code);
  expect(next.n).toBe(2);
}, 180_000);

test('the sweep takes exactly what the database proves unowned, and nothing on a dry run', async () => {
  const order = await e2e.buy('sleep-ms-20000');
  const owned = await runningAttempt(e2e.pool, order.code);
  const image = docker('inspect', '--format', '{{.Image}}', owned.container_id).trim();
  const make = (installation: string, command: 'create' | 'run'): string => {
    const labels = { [LABEL.installation]: installation, [LABEL.engine]: ENGINE, [LABEL.attempt]: randomUUID() };
    const all = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
    // Found by the run's name when something stays behind.
    const name = `lading-${e2e.installation}-${randomUUID()}`;
    const rest = ['--network', 'none', '--interactive', ...all, '--name', name, image];
    return docker(...(command === 'run' ? ['run', '--detach', ...rest] : ['create', ...rest])).trim();
  };
  const exited = make(e2e.installation, 'run');
  docker('kill', exited);
  const strays = [make(e2e.installation, 'create'), make(e2e.installation, 'run'), exited].toSorted();
  const foreign = make(`${e2e.installation}-other`, 'create');
  const deps = {
    pool: e2e.pool,
    engine: makeDockerEngine(DOCKER_HOST),
    engineName: ENGINE,
    installation: e2e.installation,
    log: pino({ level: 'silent' }),
  };
  const there = (): string[] => docker('ps', '--all', '--quiet', '--no-trunc').split('\n');
  try {
    // Younger than two minutes they might be just being made.
    expect(await sweep(deps, { dryRun: true })).toEqual([]);
    expect((await sweep(deps, { dryRun: true, minAgeSeconds: 0 })).toSorted()).toEqual(strays);
    expect(there()).toEqual(expect.arrayContaining([...strays, foreign]));
    // Any number at once.
    await Promise.all([1, 2, 3].map(() => sweep(deps, { dryRun: false, minAgeSeconds: 0 })));
    expect(there().filter((id) => strays.includes(id))).toEqual([]);
    expect(there()).toEqual(expect.arrayContaining([foreign, owned.container_id]));
  } finally {
    docker('rm', '--force', foreign);
  }
}, 120_000);

test('a removal that hangs holds up no lease, no cancellation and no hand-over', async () => {
  const image = docker(
    'inspect',
    '--format',
    '{{.Image}}',
    docker('ps', '--all', '--quiet', '--filter', `name=lading-${e2e.installation}`).split('\n')[0] ?? '',
  ).trim();
  const labels = { [LABEL.installation]: e2e.installation, [LABEL.engine]: ENGINE, [LABEL.standby]: 'gone' };
  const all = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
  const name = `lading-${e2e.installation}-${randomUUID()}`;
  // Without an envelope it ends by itself.
  hung = docker('run', '--detach', '--network', 'none', ...all, '--name', name, image).trim();
  docker('wait', hung);
  e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
  await e2e.system.processes.get('orchestrator-1')?.exited;
  await e2e.system.startOrchestrator('orchestrator-1');
  await eventually('the sweep hangs', 20_000, async () => (swallowed > 0 ? true : undefined));

  const order = await e2e.buy('sleep-ms-600000');
  const { id, job_id: jobId } = await runningAttempt(e2e.pool, order.code);
  await inTransaction(e2e.pool, (client) => cancelJob(client, jobId, 'asked for'));
  expect((await settledAttempt(e2e.pool, order.code, 1, 15_000)).outcome).toBe('cancelled');
  const { rows } = await e2e.pool.query<{ late: boolean }>(
    'SELECT settled_at > lease_expires_at AS late FROM attempts WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ late: false }]);

  const told = Date.now();
  expect(await e2e.system.processes.get('orchestrator-1')?.stop()).toBe(0);
  expect(Date.now() - told).toBeLessThan(6_000);
  docker('rm', '--force', hung);
  hung = undefined;
}, 120_000);
