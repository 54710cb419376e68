import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pay } from '../api/payments/test-webhook.ts';
import { placeTestOrder, runAttempt, startTestApi, type OrderAnswer, type TestApi } from '../api/test-setup.ts';
import { settle, type AttemptRow } from '../sql/attempts.ts';
import { makeTestCommand, MAIN, type Answer, type TestCommand } from './test-command.ts';

let api: TestApi;
let command: TestCommand;
let folder: string;
let order: OrderAnswer;
let attempt: AttemptRow;
const lading: TestCommand['run'] = (args, role) => command.run(args, role);
const json = (args: string[]): Promise<unknown> => command.json(args);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lading-cli-'));
  api = await startTestApi();
  command = makeTestCommand(api.database);
  order = await placeTestOrder(api);
  await pay(api, order.code);
  await pay(api, 'who pays \u001b[31mthis');
  attempt = await runAttempt(api, order.code);
  await settle(
    api.orchestrator,
    { attemptId: attempt.id, epoch: attempt.lease_epoch },
    { outcome: 'bad_input', detail: 'protected', exitCode: 65, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason: 'protected_content', detail: 'the course is encrypted' },
  );
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  command.remove();
  await api.stop();
});

const put = (value: unknown): Promise<Answer> => {
  const file = join(folder, 'courses.json');
  writeFileSync(file, JSON.stringify(value));
  return lading(['courses', 'put', file], 'lading_owner');
};
const course = (id: string) => ({
  id,
  title: `Course ${id}`,
  priceVnd: 10_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/manifest.json' },
});

describe('courses', () => {
  const rights = { kind: 'own', evidence: `sha256:${'a'.repeat(64)}`, recordedBy: 'operator' };

  test('are put and listed, those without rights are not orderable', async () => {
    expect(await put([{ ...course('alpha'), rights }, course('beta')])).toEqual({
      code: 0,
      stdout: 'alpha\nbeta (no rights record in the file)\n',
      stderr: '',
    });
    const ids = ((await json(['courses', 'list'])) as { id: string }[]).map(({ id }) => id);
    expect(ids).toContain('alpha');
    expect(ids).not.toContain('beta');
    expect((await lading(['courses', 'list'])).stdout).toMatch(/^alpha +Course alpha +10000 /m);
  });

  test('are all refused when one is wrong', async () => {
    const { code, stderr } = await put([
      { ...course('gamma'), rights },
      { ...course('delta'), priceVnd: 1 },
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/priceVnd/);
    expect(JSON.stringify(await json(['courses', 'list']))).not.toContain('gamma');
  });

  test('are not for auditors to put', async () => {
    const file = join(folder, 'course.json');
    writeFileSync(file, JSON.stringify(course('epsilon')));
    expect(await lading(['courses', 'put', file])).toMatchObject({ code: 1, stderr: expect.stringMatching(/denied/) });
  });
});

describe('jobs', () => {
  test('are listed by state', async () => {
    expect(await json(['jobs', 'list', '--state', 'dead'])).toMatchObject([
      { id: attempt.job_id, order_code: order.code },
    ]);
    expect(await json(['jobs', 'list', '--state', 'completed'])).toEqual([]);
    expect((await lading(['jobs', 'list'])).stdout).toContain(order.code);
    expect(await lading(['jobs', 'list', '--state', 'asleep'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/enrolled/),
    });
  });

  test('are shown by id and by order code, with every attempt', async () => {
    const shown = await json(['jobs', 'show', attempt.job_id]);
    expect(shown).toMatchObject({
      job: { state: 'dead', dead_reason: 'protected_content', attempts_spent: 1 },
      order: { code: order.code, status: 'failed', amount_vnd: 499_000, paid_vnd: 499_000 },
      attempts: [
        { n: 1, container_id: `container-of-${attempt.id}`, image: 'sha256:test', exit_code: 65, outcome: 'bad_input' },
      ],
      files: [],
      delivery: null,
    });
    expect(await json(['jobs', 'show', order.code.toLowerCase()])).toEqual(shown);
    expect((await lading(['jobs', 'show', order.code])).stdout).toMatch(/^exit code +65$/m);
  });

  test('that are not there are said to be unknown', async () => {
    for (const name of ['LD2222222222', "x' OR true --"])
      expect(await lading(['jobs', 'show', name])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(name),
      });
  });

  test('in the dead letter are listed with the cause of each attempt', async () => {
    expect(await json(['dead-letters'])).toMatchObject([
      {
        job_id: attempt.job_id,
        order_code: order.code,
        reason: 'protected_content',
        detail: 'the course is encrypted',
        attempts: [{ n: 1, outcome: 'bad_input', exit_code: 65, detail: 'protected' }],
      },
    ]);
    expect((await lading(['dead-letters'])).stdout).toContain('1: bad_input (protected)');
  });
});

test('unplaced payments are listed with their reason, harmless to a terminal', async () => {
  expect(await json(['payments', 'unplaced'])).toMatchObject([
    { reason: 'no_code', amount_vnd: 499_000, proposed_order_code: null },
  ]);
  const { stdout } = await lading(['payments', 'unplaced']);
  expect(stdout).toContain('who pays \\u001b[31mthis');
});

test('engines are listed with what is taken of them', async () => {
  expect(await json(['engines', 'list'])).toMatchObject([{ name: 'test-engine', slots: 1_000, slots_used: 0 }]);
  expect((await lading(['engines', 'list'])).stdout).toMatch(/^test-engine +0\/1000 +0\/1000 +0\.0\//m);
});

test('without a database it says what is missing and ends with 78', async () => {
  const { code, stderr } = await new Promise<Answer>((resolve) => {
    execFile(process.execPath, [MAIN, 'jobs', 'list'], { env: {} }, (error, stdout, said) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr: said }),
    );
  });
  expect([code, stderr]).toEqual([78, expect.stringMatching(/DATABASE_URL/)]);
});
