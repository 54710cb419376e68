/** A whole Lading for one benchmark, on a Postgres of its own that counts statements. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { makeCustomer, type Customer } from '../sandbox/customer.ts';
import { startPostgres } from '../sandbox/postgres.ts';
import { startSystem, type System, type SystemOptions } from '../sandbox/system.ts';
import { putCourse } from '../sql/courses.ts';
import { makePool, type Pool } from '../sql/pool.ts';
import { openBank, type Bank } from './bank.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export type World = {
  system: System;
  customer: Customer;
  bank: Bank;
  /** As an administrator: no statement of Lading's roles comes from here. */
  pool: Pool;
  installation: string;
  stop: () => Promise<void>;
};

export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Builds the job image unless it is there; its id. */
export function jobImageId(): string {
  const said = execFileSync(`${root}script/job-image`, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return (JSON.parse(said.trim().split('\n').at(-1) ?? '') as { id: string }).id;
}

export const newInstallation = (): string => `bench-${randomBytes(4).toString('hex')}`;

export async function startWorld(
  options: Partial<SystemOptions> & Pick<SystemOptions, 'jobImage' | 'dockerHost'>,
): Promise<World> {
  const postgres = await startPostgres(undefined, ['shared_preload_libraries=pg_stat_statements']);
  try {
    const installation = options.installation ?? newInstallation();
    const system = await startSystem({ ...options, installation, databaseUrl: postgres.adminUrl });
    const adminUrl = new URL(postgres.adminUrl);
    adminUrl.pathname = new URL(system.databaseUrl('lading_owner')).pathname;
    const pool = makePool({
      connectionString: adminUrl.href,
      applicationName: 'bench',
      max: 2,
      onError: () => undefined,
    });
    await pool.query('CREATE EXTENSION pg_stat_statements');
    const bank = openBank(system);
    const stopAll = async (): Promise<void> => {
      await bank.close();
      await pool.end();
      await system.stop();
      await postgres.stop();
    };
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= stopAll());
    // What is being measured then fails, and the bench with it; but nothing is left behind.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
    say(`started ${[...system.processes.keys()].join(', ')} (installation ${installation})`);
    return {
      system,
      customer: makeCustomer(system),
      bank,
      pool,
      installation,
      stop,
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** What the catalogue says of a course of the provider stand-in. */
export const sourceOf = (world: World, id: string) => ({
  manifestUrl: `${world.system.providerUrl}/courses/${id}/manifest.json`,
  enrolUrl: `${world.system.providerUrl}/courses/${id}/enrolments`,
  bearer: 'sandbox',
});

/** Puts a course of the provider stand-in into the catalogue. */
export const addCourse = (world: World, course: { id: string; of: string; profile?: string }): Promise<void> =>
  putCourse(
    world.pool,
    {
      id: course.id,
      title: `Course ${course.id}`,
      price_vnd: 499_000,
      provider: 'manifest',
      source: sourceOf(world, course.of),
      profile: course.profile ?? 'standard',
    },
    { kind: 'own', evidence: 'https://lading.example/rights', recordedBy: 'bench' },
  );

/** Metrics of one orchestrator, by name, without those that have labels. */
export async function metricsOf(world: World, orchestrator: string): Promise<Map<string, number>> {
  const url = world.system.processes.get(orchestrator)?.listening['url'];
  const text = await (await fetch(`${url}/metrics`)).text();
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^(\w+) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}
