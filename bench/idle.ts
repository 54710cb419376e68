/**
 * Statements that Lading sends while nothing is open, as Postgres itself counts them, and how fast it then starts a job.
 * Three orchestrators and the API; a job goes through first, so that what only follows a job has happened.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from '../sql/pool.ts';
import { dispatch } from './dispatched-job.ts';
import { until } from './until.ts';
import { addCourse, jobImageId, metricsOf, say, startWorld, type World } from './world.ts';

const ORCHESTRATORS = 3;
const QUIET_LIMIT_MS = 90_000;
/** After its start graphile-worker looks once for locks of dead workers, within a minute and at random. */
const START_UP_MS = 60_000;
/** Without a statement for this long it is quiet; reconcile looks every second while anything is open. */
const QUIET_FOR_MS = 5_000;
const TELL_EVERY_MS = 60_000;
const MINUTE_MS = 60_000;

type Statement = { calls: number; role: string; query: string };

/** What every role but the administrator's, which is this bench's, has sent to this database since the last reset. */
async function statementsOf(pool: Pool): Promise<Statement[]> {
  const { rows } = await pool.query<Statement>(
    `SELECT s.calls, r.rolname AS role, s.query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
     WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND r.rolname <> current_user
     ORDER BY s.calls DESC`,
  );
  return rows;
}

const total = (statements: readonly Statement[]): number => statements.reduce((sum, one) => sum + one.calls, 0);

async function untilQuiet(world: World): Promise<void> {
  let last = -1;
  let since = Date.now();
  await until('no statement is sent any more', QUIET_LIMIT_MS, async () => {
    const calls = total(await statementsOf(world.pool));
    if (calls !== last) {
      last = calls;
      since = Date.now();
    }
    return Date.now() - since >= QUIET_FOR_MS ? true : undefined;
  });
  for (let i = 1; i <= ORCHESTRATORS; i += 1)
    if (!(await metricsOf(world, `orchestrator-${i}`)).get('standby_containers'))
      throw new Error(`orchestrator-${i} has no standby`);
}

export async function benchIdle(options: { minutes: number; dockerHost: string }) {
  const world = await startWorld({
    jobImage: jobImageId(),
    dockerHost: options.dockerHost,
    orchestrators: ORCHESTRATORS,
    env: { orchestrator: { STANDBY: '1' } },
  });
  const startedUpAt = performance.now() + START_UP_MS;
  try {
    await addCourse(world, { id: 'warm', of: 'tiny' });
    const first = await dispatch(world, 'warm', 'first@shop.example');
    say(`the first job was running after ${first.paidToRunningMs} ms; waiting until start-up is over and it is quiet`);
    await sleep(startedUpAt - performance.now());
    await untilQuiet(world);
    const counted = total(await statementsOf(world.pool));
    if (counted === 0) throw new Error('pg_stat_statements counted nothing for a whole job');
    await world.pool.query('SELECT pg_stat_statements_reset()');
    const startedAt = performance.now();
    const endsAt = startedAt + options.minutes * MINUTE_MS;
    for (let left = endsAt - startedAt; left > 0; left = endsAt - performance.now()) {
      say(
        `quiet for another ${Math.ceil(left / MINUTE_MS)} min; ${total(await statementsOf(world.pool))} statements so far`,
      );
      await sleep(Math.min(left, TELL_EVERY_MS));
    }
    const sent = await statementsOf(world.pool);
    const minutes = (performance.now() - startedAt) / MINUTE_MS;
    const after = await dispatch(world, 'warm', 'after@shop.example');
    say(`${total(sent)} statements; the job after it was running after ${after.paidToRunningMs} ms`);
    return {
      statements: total(sent),
      minutes: Number(minutes.toFixed(2)),
      orchestrators: ORCHESTRATORS,
      statements_of_the_first_job: counted,
      paid_to_running_after_idle_ms: after.paidToRunningMs,
      which: sent,
      raw: { first, after },
    };
  } finally {
    await world.stop();
  }
}
