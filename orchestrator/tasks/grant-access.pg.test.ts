/** Whom a job may let in where: the real database, and the sandbox's Drive at the wire. */
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
/* oxlint-disable-next-line no-restricted-imports -- the outside world of this test */
import { DRIVE_ID, startGoogle, type GoogleForTest } from '../../sandbox/google/start-google.ts';
import { beginRunning, recordContainer, recordFinalized } from '../../sql/attempts.ts';
import { claimCourseFolder } from '../../sql/course-folders.ts';
import { insertFiles } from '../../sql/files.ts';
import { acceptManifest, findJob, insertJob } from '../../sql/jobs.ts';
import { inTransaction } from '../../sql/pool.ts';
import { beginEnrol, confirmEnrol } from '../../sql/steps.ts';
import { makeTestDatabase, type TestDatabase } from '../../test/database.ts';
import {
  beginTestAttemptOf,
  insertTestOrder,
  makeWorld,
  TEST_COURSE,
  type World,
  heldStep,
} from '../../test/orders.ts';
import { makeGoogle } from '../google.ts';
import { makeGrantAccessTask } from './grant-access.ts';

const FOLDER = 'application/vnd.google-apps.folder';
const CONTENT = 'a lesson';
const before = getCACertificates('default');
let database: TestDatabase;
let world: World;
let google: GoogleForTest;
let grant: (jobId: string) => Promise<void>;
beforeAll(async () => {
  google = await startGoogle();
  setDefaultCACertificates([...before, google.ca]);
  database = await makeTestDatabase();
  world = await makeWorld(database);
  grant = makeGrantAccessTask({
    pool: world.orchestrator,
    log: pino({ level: 'silent' }),
    retryBaseSeconds: 0,
    onChange: () => undefined,
    onStaleWrite: () => undefined,
    onJobEnded: () => undefined,
    driveParentFolderId: DRIVE_ID,
    google: makeGoogle({
      apiUrl: google.url,
      oauthUrl: google.url,
      accounts: () => [google.account],
      nowSeconds: () => Date.now() / 1_000,
    }),
  });
});
beforeEach(async () => {
  await world.owner.query('DELETE FROM course_folders');
  await world.owner.query(`UPDATE courses SET folder = 'shared'`);
});
afterAll(async () => {
  setDefaultCACertificates(before);
  await database.drop();
  await google.stop();
});

async function create(body: object): Promise<string> {
  const made = await google.json('/drive/v3/files?supportsAllDrives=true&fields=id', {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return (made.body as { id: string }).id;
}
/** A folder with one file in it, both with the mark of `jobId`. */
async function folderOf(jobId: string): Promise<{ folder: string; file: string }> {
  const appProperties = { ladingJob: jobId };
  const folder = await create({ name: 'Course', mimeType: FOLDER, parents: [DRIVE_ID], appProperties });
  const file = await google.call('/upload/drive/v3/files?uploadType=multipart&supportsAllDrives=true&fields=id', {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=x' },
    body: [
      '--x\r\ncontent-type: application/json\r\n',
      JSON.stringify({ name: 'lesson.txt', parents: [folder], appProperties }),
      `--x\r\ncontent-type: text/plain\r\n\r\n${CONTENT}`,
      '--x--\r\n',
    ].join('\r\n'),
  });
  return { folder, file: ((await file.json()) as { id: string }).id };
}
const readersOf = async (folder: string): Promise<string[]> => {
  const { body } = await google.json(
    `/drive/v3/files/${folder}/permissions?supportsAllDrives=true&fields=permissions(emailAddress)`,
  );
  return (body as { permissions: { emailAddress: string }[] }).permissions.map((one) => one.emailAddress);
};

async function enrolling(email: string): Promise<string> {
  const order = await insertTestOrder(world.api, email);
  const job = await inTransaction(world.api, (db) => insertJob(db, { id: order.id, courseId: TEST_COURSE }));
  await beginEnrol(world.orchestrator, job?.id ?? '', 60);
  return job?.id ?? '';
}
/** The job's container says that it delivered `file` into `folder`. */
async function claimed(jobId: string, { folder, file }: { folder: string; file: string }): Promise<void> {
  await confirmEnrol(world.orchestrator, await heldStep(world.orchestrator, jobId));
  const begun = await beginTestAttemptOf(world, jobId);
  const attempt = begun?.id ?? '';
  const lease = { attemptId: attempt, epoch: begun?.lease_epoch ?? 0 };
  await recordContainer(world.orchestrator, lease, `container-${attempt}`);
  await beginRunning(world.orchestrator, lease);
  await recordFinalized(world.api, attempt);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  await insertFiles(world.api, jobId, attempt, [{ path: 'lesson.txt', bytes: CONTENT.length, sha256, driveId: file }]);
  await acceptManifest(world.api, jobId, folder);
}
const claim = async (jobId: string) => claimCourseFolder(world.orchestrator, await heldStep(world.orchestrator, jobId));
const stateOf = async (jobId: string) => {
  const { rows } = await world.owner.query<object>('SELECT state, dead_reason FROM jobs WHERE id = $1', [jobId]);
  return rows[0];
};

test('a shared folder is ready once its files are proven, and the next customer is let in there', async () => {
  const [first, second] = [await enrolling('first@shop.example'), await enrolling('second@shop.example')];
  expect([await claim(first), await claim(second)]).toEqual(['upload', 'wait']);
  const delivered = await folderOf(first);
  await claimed(first, delivered);
  expect(await claim(second)).toBe('wait');
  await grant(first);
  expect(await claim(second)).toBe('reused');
  await grant(second);
  expect(await readersOf(delivered.folder)).toEqual(
    expect.arrayContaining(['first@shop.example', 'second@shop.example']),
  );
});

test('a job that names the folder of another opens it to nobody, and no course is ready by it', async () => {
  const [honest, liar] = [await enrolling('honest@shop.example'), await enrolling('liar@shop.example')];
  const theirs = await folderOf(honest);
  await claim(liar);
  await claimed(liar, theirs);
  await grant(liar);
  expect(await stateOf(liar)).toEqual({ state: 'dead', dead_reason: 'grant_refused' });
  expect(await readersOf(theirs.folder)).not.toContain('liar@shop.example');
  expect(await claim(honest)).toBe('upload');
});

test('a course folder that somebody emptied is opened to nobody and filled anew by the order that found it so', async () => {
  const [first, second] = [await enrolling('first@shop.example'), await enrolling('late@shop.example')];
  await claim(first);
  const delivered = await folderOf(first);
  await claimed(first, delivered);
  await grant(first);
  await google.call(`/drive/v3/files/${delivered.file}?supportsAllDrives=true`, { method: 'DELETE' });
  expect(await claim(second)).toBe('reused');
  await grant(second);
  expect(await stateOf(second)).toEqual({ state: 'enrolling', dead_reason: null });
  expect(await readersOf(delivered.folder)).not.toContain('late@shop.example');
  await world.owner.query(`UPDATE jobs SET state = 'completed' WHERE id = $1`, [first]);
  expect(await claim(second)).toBe('upload');
});

test('the folder of an order lies right below the configured parent, or it is refused', async () => {
  const job = await enrolling('deep@shop.example');
  await claim(job);
  const outer = await create({ name: 'Outer', mimeType: FOLDER, parents: [DRIVE_ID] });
  const inner = await create({
    name: 'Inner',
    mimeType: FOLDER,
    parents: [outer],
    appProperties: { ladingJob: job },
  });
  await claimed(job, { folder: inner, file: (await folderOf(job)).file });
  await grant(job);
  expect(await stateOf(job)).toEqual({ state: 'dead', dead_reason: 'grant_refused' });
  expect((await findJob(world.orchestrator, job))?.state).toBe('dead');
});
