import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { makeTestDatabase, type TestDatabase } from '../test/database.ts';
import { heldStep, insertTestOrder, makeWorld, TEST_COURSE, type World } from '../test/orders.ts';
import { claimCourseFolder, forgetCourseFolder, readyCourseFolder } from './course-folders.ts';
import { deliveryFacts } from './deliveries.ts';
import { bury } from '../test/moves.ts';
import { findJob, insertJob } from './jobs.ts';
import { inTransaction } from './pool.ts';
import { redriveJob } from '../test/moves.ts';
import { beginEnrol, confirmEnrol } from './steps.ts';

let database: TestDatabase;
let world: World;
beforeAll(async () => {
  database = await makeTestDatabase();
  world = await makeWorld(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await world.owner.query('DELETE FROM course_folders');
  await world.owner.query(`UPDATE courses SET folder = 'shared', source = '{"v": 1}'`);
});

/** A job that is enrolling. */
async function enrolling(email?: string): Promise<string> {
  const order = await insertTestOrder(world.api, email);
  const job = await inTransaction(world.api, (db) => insertJob(db, { id: order.id, courseId: TEST_COURSE }));
  await beginEnrol(world.orchestrator, job?.id ?? '', 60);
  return job?.id ?? '';
}
const claim = async (job: string) => claimCourseFolder(world.orchestrator, await heldStep(world.orchestrator, job));

describe('claimCourseFolder', () => {
  test('a course of personal folders is uploaded for each order', async () => {
    await world.owner.query(`UPDATE courses SET folder = 'personal'`);
    expect([await claim(await enrolling()), await claim(await enrolling())]).toEqual(['upload', 'upload']);
  });

  test('of twenty orders at once exactly one uploads, the others wait', async () => {
    const jobs: string[] = [];
    for (let n = 0; n < 20; n += 1) jobs.push(await enrolling(`c${n}@shop.example`));
    const claims = await Promise.all(jobs.map(claim));
    expect(claims.toSorted()).toEqual([...Array<string>(1).fill('upload'), ...Array<string>(19).fill('wait')]);
    const first = jobs[claims.indexOf('upload')] ?? '';
    expect(await claim(first)).toBe('upload');
  });

  test('a ready folder is reused: the job delivers the files of the one that filled it', async () => {
    const [first, second] = [await enrolling(), await enrolling()];
    expect([await claim(first), await claim(second)]).toEqual(['upload', 'wait']);
    expect(await readyCourseFolder(world.orchestrator, second, 'evil')).toBe(false);
    expect(await readyCourseFolder(world.orchestrator, first, 'folder-1')).toBe(true);
    expect(await claim(second)).toBe('reused');
    expect(await findJob(world.orchestrator, second)).toMatchObject({ state: 'delivering', folder_id: 'folder-1' });
    expect(await deliveryFacts(world.orchestrator, second)).toMatchObject({ uploaded_by: first, is_shared: true });
    expect(await claim(second)).toBe('not_ours');
  });

  test('when the job that fills it dies, the next one does it', async () => {
    const [first, second, third] = [await enrolling(), await enrolling(), await enrolling()];
    await claim(first);
    await confirmEnrol(world.orchestrator, await heldStep(world.orchestrator, first));
    expect(await claim(second)).toBe('wait');
    await bury(world.orchestrator, first, 'enrolled', 'cancelled', 'test');
    expect([await claim(second), await claim(third)]).toEqual(['upload', 'wait']);
    expect(await readyCourseFolder(world.orchestrator, first, 'folder-1')).toBe(false);
    await inTransaction(world.owner, (db) => redriveJob(db, first, 'again'));
    await beginEnrol(world.orchestrator, first, 60);
    expect(await claim(first)).toBe('wait');
  });

  test('another source, and a folder that is gone, are uploaded anew', async () => {
    const [first, second, third] = [await enrolling(), await enrolling(), await enrolling()];
    await claim(first);
    await readyCourseFolder(world.orchestrator, first, 'folder-1');
    await world.owner.query(`UPDATE courses SET source = '{"v": 2}'`);
    expect(await claim(second)).toBe('upload');
    await readyCourseFolder(world.orchestrator, second, 'folder-2');
    await bury(world.orchestrator, second, 'enrolling', 'cancelled', 'test');
    await forgetCourseFolder(world.orchestrator, 'folder-2');
    expect(await claim(third)).toBe('upload');
  });
});

test('the orchestrator writes no claim and no folder of a job by itself, the api reads nothing', async () => {
  const job = await enrolling();
  const refused = { code: '42501' };
  for (const statement of [
    `INSERT INTO course_folders (course_id, job_id, provider, source) VALUES ('x', '${randomUUID()}', 'manifest', '{}')`,
    `UPDATE course_folders SET job_id = '${job}'`,
    `UPDATE jobs SET folder_id = 'other' WHERE id = '${job}'`,
    `UPDATE jobs SET delivers_job = '${job}'`,
  ])
    await expect(world.orchestrator.query(statement)).rejects.toMatchObject(refused);
  await expect(world.api.query('SELECT FROM course_folders')).rejects.toMatchObject(refused);
  await expect(claimCourseFolder(world.api, { jobId: job, state: 'enrolling', epoch: 1 })).rejects.toMatchObject(
    refused,
  );
});
