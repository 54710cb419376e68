/** What the database itself refuses to a service that was taken over: each role holds only the moves that are its own. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import {
  enrolledTestJob,
  insertTestOrder,
  makeWorld,
  runningTestAttempt,
  testJobIn,
  type World,
} from '../test/orders.ts';
import { settle, type AttemptRow } from './attempts.ts';
import { recordGrant, recordMail } from './deliveries.ts';
import type { JobRow } from './jobs.ts';
import type { Pool } from './pool.ts';
import { sqlStateOf, SQLSTATE } from './sqlstate.ts';

const DENIED = '42501';

let database: TestDatabase;
let world: World;
let settled: { job: JobRow; attempt: AttemptRow };
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
  settled = await runningTestAttempt(world);
  const ended = { outcome: 'succeeded', detail: '', exitCode: 0, oomKilled: false, endMessage: undefined };
  const lease = { attemptId: settled.attempt.id, epoch: settled.attempt.lease_epoch };
  await settle(world.orchestrator, lease, ended, { job: 'stays' });
});
afterAll(() => database.drop());

/** The SQLSTATE with which `statement`, about the row `id`, is refused. */
async function refusal(pool: Pool, statement: string, id: string): Promise<unknown> {
  const error = await pool.query(statement, [id]).catch((refused: unknown) => refused);
  return error instanceof Error ? sqlStateOf(error) : 'it went through';
}

test.each([
  `INSERT INTO jobs (order_id, course_id, customer, fair_tag, state) VALUES ($1::uuid, 'test-course', 'c', 0, 'enrolled')`,
  `INSERT INTO jobs (order_id, course_id, customer, fair_tag, folder_id) VALUES ($1::uuid, 'test-course', 'c', 0, 'f')`,
  `UPDATE jobs SET attempts_spent = 0 WHERE order_id = $1::uuid`,
  `UPDATE deliveries SET granted_to = 'x@shop.example' WHERE job_id = $1::uuid`,
  `UPDATE attempts SET state = 'settled' WHERE id = $1::uuid`,
  `DELETE FROM payments WHERE order_id = $1::uuid`,
])('the api has no right to: %s', async (statement) => {
  const order = await insertTestOrder(world.api);
  expect(await refusal(world.api, statement, order.id)).toBe(DENIED);
});

test.each(['attempting', 'dead', 'enrolling', 'delivering'])('the api moves no waiting job to %s', async (state) => {
  const { id } = await enrolledTestJob(world);
  const move = `UPDATE jobs SET state = '${state}', folder_id = 'f' WHERE id = $1::uuid`;
  expect(await refusal(world.api, move, id)).toBe(SQLSTATE.illegalMove);
});

test('the api names no folder but with the manifest, and accepts none of an attempt that has ended', async () => {
  const { id } = await testJobIn(world, 'delivering');
  const rename = `UPDATE jobs SET folder_id = 'other' WHERE id = $1::uuid`;
  expect(await refusal(world.api, rename, id)).toBe(SQLSTATE.illegalMove);
  const finalize = `UPDATE attempts SET finalized_at = now() WHERE id = $1::uuid`;
  expect(await refusal(world.api, finalize, settled.attempt.id)).toBe(SQLSTATE.illegalMove);
});

test.each([
  `INSERT INTO attempts (job_id, n, state, engine, lease_holder, lease_expires_at, profile, limits, image, deadline_at)
   SELECT job_id, 9, 'running', engine, 'h', now(), profile, limits, image, now() FROM attempts WHERE id = $1::uuid`,
  `UPDATE attempts SET finalized_at = NULL WHERE id = $1::uuid`,
  `UPDATE attempts SET job_id = gen_random_uuid() WHERE id = $1::uuid`,
  `UPDATE jobs SET folder_id = 'other' WHERE id = $1::uuid`,
  `UPDATE orders SET email = 'x@shop.example' WHERE id = $1::uuid`,
])('an orchestrator has no right to: %s', async (statement) => {
  expect(await refusal(world.orchestrator, statement, settled.attempt.id)).toBe(DENIED);
});

test.each([
  `UPDATE attempts SET state = 'running', outcome = NULL, settled_at = NULL WHERE id = $1::uuid`,
  `UPDATE attempts SET outcome = 'bug' WHERE id = $1::uuid`,
  `UPDATE attempts SET detail = 'nothing happened' WHERE id = $1::uuid`,
])('an orchestrator does not rewrite a settled attempt: %s', async (statement) => {
  expect(await refusal(world.orchestrator, statement, settled.attempt.id)).toBe(SQLSTATE.illegalMove);
});

test.each([
  `INSERT INTO deliveries (job_id, granted_to, granted_at) VALUES ($1::uuid, 'x@shop.example', now())`,
  `UPDATE deliveries SET granted_to = 'x@shop.example' WHERE job_id = $1::uuid`,
  `UPDATE deliveries SET granted_at = NULL WHERE job_id = $1::uuid`,
  `UPDATE deliveries SET mailed_at = NULL WHERE job_id = $1::uuid`,
])('an orchestrator opens access for the customer alone, and rewrites nothing: %s', async (statement) => {
  const { id } = await testJobIn(world, 'delivering');
  if (statement.startsWith('UPDATE')) {
    await recordGrant(world.orchestrator, id, { grantedTo: 'customer@shop.example', permissionId: 'p' });
    await recordMail(world.orchestrator, id, { to: 'customer@shop.example', subject: 's', messageId: `<${id}>` });
  }
  expect(await refusal(world.orchestrator, statement, id)).toBe(SQLSTATE.illegalMove);
});

test('a job whose mail nobody takes is delivered for its customer, and a dead letter for the operator', async () => {
  const { id, order_id: order } = await testJobIn(world, 'delivering');
  await recordGrant(world.orchestrator, id, { grantedTo: 'customer@shop.example', permissionId: 'p' });
  const bury = `UPDATE jobs SET state = 'dead', dead_reason = 'mail_refused' WHERE id = $1::uuid`;
  await world.orchestrator.query(bury, [id]);
  const { rows } = await world.api.query('SELECT status FROM order_status WHERE order_id = $1::uuid', [order]);
  expect(rows).toEqual([{ status: 'completed' }]);
});
