/**
 * kill -9 after each step of the flow. A trigger holds the process exactly there: its statement waits for a lock that
 * the test has. The process is killed while it waits; then the lock is let go and Postgres finishes the statement, so
 * that the step has happened and nothing after it.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { callJson } from '../../sandbox/customer.ts';
import { getJson } from '../../sandbox/https.ts';
import {
  attemptsOf,
  containersOf,
  docker,
  type E2e,
  eventually,
  runningAttempt,
  settledAttempts,
  startE2e,
} from './world.ts';

const LOCK = 4_711;

type Point = {
  /** What has just happened when the process dies. */
  after: string;
  table: string;
  /** When the trigger holds: on which operation, and for which rows. */
  on: string;
  when: string;
};

const moved = (to: string): Pick<Point, 'table' | 'on' | 'when'> => ({
  table: 'jobs',
  on: 'UPDATE OF state',
  when: `NEW.state = '${to}' AND OLD.state <> '${to}'`,
});

const POINTS: Point[] = [
  { after: '1 the order is written', table: 'orders', on: 'INSERT', when: 'true' },
  { after: '2 the webhook is stored', table: 'payment_events', on: 'INSERT', when: 'true' },
  { after: '2 the payment is placed', table: 'payments', on: 'INSERT', when: 'true' },
  { after: '2 the job is made', table: 'jobs', on: 'INSERT', when: 'true' },
  { after: '3 the enrol step is taken', ...moved('enrolling') },
  { after: '3 the enrolment is written', ...moved('enrolled') },
  { after: '4 the attempt has its row', table: 'attempts', on: 'INSERT', when: 'true' },
  {
    after: '4 the container is written down',
    table: 'attempts',
    on: 'UPDATE',
    when: 'OLD.container_id IS NULL AND NEW.container_id IS NOT NULL',
  },
  {
    after: '4 the envelope is acknowledged',
    table: 'attempts',
    on: 'UPDATE',
    when: `OLD.state = 'creating' AND NEW.state = 'running'`,
  },
  { after: '5 the first piece of log is stored', table: 'log_chunks', on: 'INSERT', when: 'NEW.seq = 0' },
  { after: '7 the call is remembered', table: 'signed_calls_seen', on: 'INSERT', when: 'true' },
  { after: '7 the manifest is accepted', ...moved('delivering') },
  { after: '5 the log is closed', table: 'log_ends', on: 'INSERT', when: 'true' },
  {
    after: '5 the attempt is settled',
    table: 'attempts',
    on: 'UPDATE',
    when: `OLD.state <> 'settled' AND NEW.state = 'settled'`,
  },
  { after: '8 access is granted', table: 'deliveries', on: 'INSERT', when: 'true' },
  {
    after: '8 the mail is sent',
    table: 'deliveries',
    on: 'UPDATE',
    when: 'OLD.mailed_at IS NULL AND NEW.mailed_at IS NOT NULL',
  },
  { after: '8 the job is completed', ...moved('completed') },
];

let e2e: E2e;
let holder: pg.Client;
beforeAll(async () => {
  e2e = await startE2e({ orchestrators: 2, leaseSeconds: 4 });
  await e2e.putCourse('tiny');
  holder = new pg.Client({ connectionString: e2e.system.databaseUrl('lading_owner') });
  await holder.connect();
  await e2e.pool.query(
    `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${LOCK}); RETURN NULL; END $$`,
  );
}, 60_000);
afterAll(async () => {
  await holder.end();
  await e2e.stop();
}, 60_000);

/** The process whose statement waits at the held point. */
async function heldProcess(): Promise<string> {
  const application = await eventually('a process is held', 30_000, async () => {
    const { rows } = await e2e.pool.query<{ application_name: string }>(
      `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'advisory' AND l.objid = ${LOCK} AND NOT l.granted
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1`,
    );
    return rows[0]?.application_name;
  });
  const orchestrator = [...e2e.system.processes.values()].find(
    (one) => one.listening['holder'] && application.endsWith(one.listening['holder']),
  );
  return orchestrator?.name ?? 'api';
}

async function restart(name: string): Promise<void> {
  await e2e.system.processes.get(name)?.exited;
  await (name === 'api' ? e2e.system.startApi() : e2e.system.startOrchestrator(name));
}

const drive = z.array(
  z.object({
    path: z.string(),
    size: z.number().nullable(),
    appProperties: z.record(z.string(), z.string()),
    permissions: z.array(z.object({ role: z.string(), emailAddress: z.string().optional() })),
  }),
);
const mails = z.array(z.object({ subject: z.string(), messageId: z.string() }));

const mailsOf = async (orderCode: string) =>
  (await callJson(mails, `${e2e.system.mailControlUrl}/sandbox/mails`)).filter((one) =>
    one.subject.includes(orderCode),
  );

/**
 * The one moment at which a killed process costs a second mail: the server has taken the mail, and nobody has written it
 * down. Delivery goes on beside the log and the end of the attempt, so that it may be any process that is killed there.
 */
async function isMailedUnrecorded(orderCode: string): Promise<boolean> {
  const { rowCount } = await e2e.pool.query(
    `SELECT FROM deliveries d JOIN jobs j ON j.id = d.job_id JOIN orders o ON o.id = j.order_id
     WHERE o.code = $1::text AND d.mailed_at IS NOT NULL`,
    [orderCode],
  );
  return rowCount === 0 && (await mailsOf(orderCode)).length > 0;
}

/** One delivery, and nothing left behind. */
async function expectDeliveredOnce(orderCode: string, mailsMax: number): Promise<void> {
  const attempts = await settledAttempts(e2e.pool, orderCode);
  const jobId = attempts[0]?.job_id ?? '';
  const { rows } = await e2e.pool.query(
    `SELECT (SELECT count(*) FROM payments WHERE order_id = o.id) AS payments, j.attempts_spent, j.state,
            (SELECT count(*) FROM files WHERE job_id = j.id) AS files
     FROM orders o JOIN jobs j ON j.order_id = o.id WHERE o.code = $1::text`,
    [orderCode],
  );
  // Only the attempt that delivered is charged, if at all: losing a process spends none of the customer's.
  expect(rows).toEqual([{ payments: 1, attempts_spent: 0, state: 'completed', files: 3 }]);
  const listed = drive.parse(await getJson(`${e2e.system.googleUrl}/sandbox/files`, e2e.system.caPem));
  const mine = listed.filter((file) => file.appProperties['ladingJob'] === jobId);
  expect(mine.filter((file) => file.size !== null)).toHaveLength(3);
  const readers = mine.flatMap((file) => file.permissions.filter((one) => one.role === 'reader').map(() => file.path));
  expect(new Set(readers).size).toBe(readers.length);
  const sent = await mailsOf(orderCode);
  expect(sent.length).toBeGreaterThanOrEqual(1);
  expect(sent.length).toBeLessThanOrEqual(mailsMax);
  expect(new Set(sent.map((one) => one.messageId)).size).toBe(1);
  await eventually('no container is left', 15_000, async () =>
    (await containersOf(e2e.pool, orderCode)).length === 0 ? true : undefined,
  );
  const { rows: engines } = await e2e.pool.query('SELECT slots_used, launching, memory_used FROM engines');
  expect(engines).toEqual([{ slots_used: 0, launching: 0, memory_used: 0 }]);
}

describe('kill -9 right after', () => {
  test.each(POINTS)(
    '$after',
    async ({ table, on, when }) => {
      await e2e.pool.query(
        `CREATE TRIGGER hold AFTER ${on} ON ${table} FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION hold()`,
      );
      await holder.query('SELECT pg_advisory_lock($1)', [LOCK]);
      const key = `crash-test-${Date.now()}-${Math.random()}`;
      const ordering = e2e.customer.order('tiny', 'customer@shop.example', key);
      ordering.catch(() => undefined);
      let order = table === 'orders' ? undefined : await ordering;
      const paying = order && e2e.customer.pay(order);
      const killed = await heldProcess();
      e2e.system.processes.get(killed)?.signal('SIGKILL');
      await e2e.system.processes.get(killed)?.exited;
      const mailsMax = order && (await isMailedUnrecorded(order.code)) ? 2 : 1;
      await holder.query('SELECT pg_advisory_unlock($1)', [LOCK]);
      await e2e.pool.query(`DROP TRIGGER hold ON ${table}`);
      await restart(killed);
      // What a customer and SePay do when nobody answered: the same again.
      order ??= await e2e.customer.order('tiny', 'customer@shop.example', key);
      const first = await (paying ?? e2e.customer.pay(order));
      if (!first.delivered)
        await callJson(z.unknown(), `${e2e.system.sepayUrl}/sandbox/transfers/${first.id}/redeliver`, {
          method: 'POST',
        });
      await e2e.customer.waitFor(order, ['completed'], 60_000);
      await expectDeliveredOnce(order.code, mailsMax);
    },
    120_000,
  );

  test('6 the job has begun its work: its container is killed, and the next attempt delivers', async () => {
    await e2e.putCourse('slow');
    const order = await e2e.customer.order('slow', 'customer@shop.example');
    await e2e.customer.pay(order);
    const running = await runningAttempt(e2e.pool, order.code);
    docker('kill', '--signal', 'KILL', running.container_id);
    await e2e.customer.waitFor(order, ['completed'], 110_000);
    const attempts = await attemptsOf(e2e.pool, order.code);
    expect(attempts.map((one) => one.n)).toEqual([1, 2]);
    expect(attempts[0]?.outcome).toBe('killed_outside');
    await eventually('no container is left', 15_000, async () =>
      (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
    );
  }, 150_000);
});
