import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pay } from '../api/payments/test-webhook.ts';
import { placeTestOrder, runAttempt, startTestApi, type OrderAnswer, type TestApi } from '../api/test-setup.ts';
import { freePort } from '../sandbox/free-port.ts';
import { settle, type AttemptRow } from '../sql/attempts.ts';
import { makeTestCommand, run, type Answer, type TestCommand } from './test-command.ts';

let api: TestApi;
let command: TestCommand;
let order: OrderAnswer;
let attempt: AttemptRow;
const lading: TestCommand['run'] = (args, as) => command.run(args, as);
const json: TestCommand['json'] = (args, as) => command.json(args, as);

async function dead(code: string): Promise<AttemptRow> {
  const begun = await runAttempt(api, code);
  await settle(
    api.orchestrator,
    { attemptId: begun.id, epoch: begun.lease_epoch },
    { outcome: 'bad_input', detail: 'protected', exitCode: 65, oomKilled: false, endMessage: undefined },
    { job: 'dies', spendsAttempt: true, reason: 'protected_content', detail: 'the course is encrypted' },
  );
  return begun;
}
async function paid(): Promise<OrderAnswer> {
  const placed = await placeTestOrder(api);
  await pay(api, placed.code);
  return placed;
}

beforeAll(async () => {
  api = await startTestApi();
  command = await makeTestCommand(api.database, api.url);
  order = await paid();
  await pay(api, 'who pays \u001b[31mthis');
  attempt = await dead(order.code);
});
afterAll(async () => {
  command.remove();
  await api.stop();
});

describe('courses', () => {
  const rights = { kind: 'own', evidence: `sha256:${'a'.repeat(64)}` };
  const course = (id: string) => ({
    id,
    title: `Course ${id}`,
    priceVnd: 10_000,
    provider: 'manifest',
    source: { manifestUrl: 'https://provider.example/manifest.json' },
  });
  const put = (text: string, as?: { key: 'auditor' }): Promise<Answer> => {
    const file = join(command.folder, 'courses.json');
    writeFileSync(file, text);
    return lading(['courses', 'put', file], as);
  };

  test('are put and listed; those without rights cannot be ordered', async () => {
    expect(await put(JSON.stringify([{ ...course('alpha'), rights }, course('beta')]))).toEqual({
      code: 0,
      stdout: 'alpha\nbeta (no rights record in the file)\n',
      stderr: '',
    });
    const orderable = (await json(['courses', 'list', '--orderable'])) as { id: string }[];
    expect(orderable.map(({ id }) => id)).toEqual(['alpha', 'handbook']);
    expect((await lading(['courses', 'list'])).stdout).toMatch(/^beta +Course beta +10000 /m);
  });

  test('are all refused when one is wrong, and it is said where', async () => {
    const wrong = [
      { ...course('gamma'), rights },
      { ...course('delta'), priceVnd: 1 },
    ];
    expect(await put(JSON.stringify(wrong))).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('courses.1.priceVnd') as unknown,
    });
    expect(JSON.stringify(await json(['courses', 'list']))).not.toContain('gamma');
    expect(await put('{')).toMatchObject({ code: 64, stderr: expect.stringContaining('courses.json') as unknown });
    expect((await put(' '.repeat(512 * 1024 + 1))).stderr).toMatch(/larger than/);
  });

  test('are not for auditors to put', async () => {
    expect(await put(JSON.stringify(course('epsilon')), { key: 'auditor' })).toMatchObject({
      code: 77,
      stderr: expect.stringMatching(/role_not_allowed[^]*lading keys create/) as unknown,
    });
  });
});

describe('jobs', () => {
  test('are listed by state', async () => {
    expect(await json(['jobs', 'list', '--state', 'dead'])).toMatchObject([
      { id: attempt.job_id, orderCode: order.code },
    ]);
    expect(await json(['jobs', 'list', '--state', 'completed'])).toEqual([]);
    expect((await lading(['jobs', 'list'])).stdout).toContain(order.code);
    expect(await lading(['jobs', 'list', '--state', 'asleep'])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/enrolled/) as unknown,
    });
  });

  test('are shown by id and by order code, with every attempt', async () => {
    const shown = await json(['jobs', 'show', attempt.job_id]);
    expect(shown).toMatchObject({
      state: 'dead',
      deadReason: 'protected_content',
      attemptsSpent: 1,
      order: { status: 'failed', amountVnd: 499_000, paidVnd: 499_000 },
      attemptList: [
        { n: 1, containerId: `container-of-${attempt.id}`, image: 'sha256:test', exitCode: 65, outcome: 'bad_input' },
      ],
      files: [],
      delivery: null,
    });
    expect(await json(['jobs', 'show', order.code])).toEqual(shown);
    expect((await lading(['jobs', 'show', order.code])).stdout).toMatch(/^exitCode +65$/m);
  });

  test.each([
    ['LD2222222222', 'job_unknown'],
    ["x' OR true --", 'not_found'],
    ['../changes', 'not_found'],
  ])('that are not there are said to be unknown: %s', async (name, code) => {
    expect(await lading(['jobs', 'show', name])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(code) as unknown,
    });
  });

  test('are cancelled, sent again and given another place, with a reason', async () => {
    const { code } = await paid();
    expect(await lading(['jobs', 'priority', code, '-3'])).toMatchObject({ code: 0, stdout: `${code}: -3\n` });
    expect((await lading(['jobs', 'cancel', code, '--reason', 'ordered twice'])).stdout).toBe(`${code}: dead\n`);
    expect(await lading(['jobs', 'cancel', code, '--reason', 'x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('job_not_cancellable') as unknown,
    });
    expect(await json(['jobs', 'retry', code, '--reason', 'after all'])).toMatchObject({ result: 'redriven' });
    expect(await lading(['jobs', 'retry', code])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/--reason/) as unknown,
    });
    const changes = (await json(['changes', '--limit', '3'])) as { action: string }[];
    expect(changes.map(({ action }) => action)).toEqual(['job retry', 'job cancel', 'job priority']);
  });

  test('in the dead letter are listed with the cause of each attempt, and sent again by a filter', async () => {
    const attempts = [{ n: 1, outcome: 'bad_input', exitCode: 65, detail: 'protected' }];
    expect(await json(['dead-letters', '--reason-is', 'protected_content'])).toMatchObject([
      { id: attempt.job_id, orderCode: order.code, deadDetail: 'the course is encrypted', attempts },
    ]);
    expect((await lading(['dead-letters'])).stdout).toContain('1: bad_input (protected)');
    const redrive = ['dead-letters', 'redrive', '--reason-is', 'protected_content', '--reason', 'another file'];
    expect((await lading([...redrive, '--dry-run'])).stdout).toContain('would_be_redriven');
    expect((await lading(redrive)).stdout).toMatch(new RegExp(`${order.code} .* redriven\n$`));
    expect((await lading(redrive)).stdout).toBe('(none)\n');
    expect((await lading(['dead-letters', 'redrive', '--reason', 'x'])).code).toBe(64);
  });
});

test('orders are found by address', async () => {
  expect(await json(['orders', '--email', 'READER@mail.example', '--limit', '1'])).toHaveLength(1);
  expect((await lading(['orders', 'list', '--code', order.code])).stdout).toContain('reader@mail.example');
  expect((await lading(['orders'], { key: 'shop' })).stdout).toBe('(none)\n');
});

test('money in the inbox is shown harmless to a terminal, and decided', async () => {
  const [item] = (await json(['payments', 'inbox'])) as { id: string }[];
  expect(item).toMatchObject({ reason: 'no_code', amountVnd: 499_000, proposedOrderCode: null });
  expect((await lading(['payments', 'inbox'])).stdout).toContain('who pays \\u001b[31mthis');
  const other = await placeTestOrder(api);
  const decide = ['payments', 'decide', item?.id ?? '', 'assign', '--order', other.code, '--reason', 'he called'];
  expect((await lading(decide)).stdout).toMatch(/^decided; job [0-9a-f-]{36} begins\n$/);
  expect(await lading(decide)).toMatchObject({ code: 1, stderr: expect.stringContaining('decided_before') as unknown });
  expect((await lading(['payments', 'ledger'])).stdout).toMatch(/^applied +3 +1497000$/m);
});

test('the queue is paused and resumed, an engine drained, and the report says what was reached', async () => {
  expect((await lading(['pause', '--reason', 'new disks'])).stdout).toMatch(/^reason +new disks$/m);
  expect((await lading(['queue'], { key: 'auditor' })).stdout).toContain('new disks');
  expect((await lading(['resume'])).stdout).toMatch(/^pausedAt +-$/m);
  await lading(['drain', 'test-engine', '--reason', 'reboot']);
  expect((await lading(['engines'])).stdout).toMatch(/^test-engine +0\/1000 +0\/1000 +.* drained: reboot$/m);
  expect((await lading(['undrain', 'test-engine'])).code).toBe(0);
  expect(await lading(['drain', 'nowhere', '--reason', 'x'])).toMatchObject({ code: 1 });
  const { stdout } = await lading(['slo', '--hours', '1'], { key: 'auditor' });
  expect(stdout.match(/^(processing_mean|uptime|failed|queue_wait|retry_success) /gm)).toHaveLength(5);
});

describe('what is wrong is said with the way out', () => {
  const without = (env: Record<string, string>) => run(['jobs', 'list'], env);

  test('no key', async () => {
    const ended = { code: 78, stderr: expect.stringMatching(/LADING_KEY_FILE[^]*lading keys create/) as unknown };
    expect(await without({ LADING_URL: api.url })).toMatchObject(ended);
    expect(await without({ LADING_URL: api.url, LADING_KEY_FILE: '/nowhere' })).toMatchObject(ended);
    const empty = join(command.folder, 'empty');
    writeFileSync(empty, 'x', { mode: 0o600 });
    expect(await without({ LADING_URL: api.url, LADING_KEY_FILE: empty })).toMatchObject(ended);
  });

  test('a key that others may read', async () => {
    const path = join(command.folder, 'key of auditor');
    chmodSync(path, 0o640);
    expect(await without({ LADING_URL: api.url, LADING_KEY_FILE: path })).toMatchObject({
      code: 78,
      stderr: `LADING_KEY_FILE: others may read ${path}; run: chmod 600 ${path}\n`,
    });
    chmodSync(path, 0o600);
  });

  test('a key that has ended', async () => {
    const path = join(command.folder, 'old key');
    writeFileSync(path, `lk_aaaaaaaa_${'A'.repeat(43)}`, { mode: 0o600 });
    expect(await lading(['jobs', 'list'], { env: { LADING_KEY_FILE: path } })).toMatchObject({
      code: 77,
      stderr: expect.stringMatching(/key_not_valid[^]*lading keys create/) as unknown,
    });
  });

  test('no API, another one, and a key in clear', async () => {
    const at = (LADING_URL: string) => lading(['jobs', 'list'], { env: { LADING_URL } });
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await at(nowhere);
    expect([code, stderr]).toEqual([69, expect.stringContaining(`${nowhere} (ECONNREFUSED)`)]);
    expect(await at(api.operationsUrl)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not_found') as unknown,
    });
    for (const url of ['http://api.example', 'ftp://127.0.0.1', 'x'])
      expect(await at(url)).toMatchObject({ code: 78, stderr: expect.stringContaining(url) as unknown });
  });

  test('a command that is none, and no database', async () => {
    expect((await lading(['jbos'])).code).toBe(64);
    expect(await without({})).toMatchObject({ code: 78 });
    expect(await run(['keys', 'list'], {})).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/DATABASE_URL/) as unknown,
    });
    expect((await run(['--help'], {})).stdout).toMatch(/Exit codes/);
  });
});

test('doctor looks at all of it and ends with 1 when something fails', async () => {
  const env = { DOCKER_HOST: 'unix:///nowhere.sock', LADING_SECRETS_DIR: command.folder };
  const { code, stdout } = await lading(['doctor', '--json'], { role: 'lading_owner', env });
  const findings = JSON.parse(stdout) as { check: string; status: string; detail: string; remedy: string | null }[];
  const statusOf = (check: string) => findings.find((one) => one.check === check)?.status;
  expect(code).toBe(1);
  for (const check of ['api', 'clock of the API', 'key', 'queue', 'engine test-engine', 'postgres', 'roles', 'schema'])
    expect([check, statusOf(check)]).toEqual([check, 'ok']);
  for (const check of ['LISTEN', 'clock of Postgres', 'secrets folder', 'secret key of operator'])
    expect([check, statusOf(check)]).toEqual([check, 'ok']);
  expect(findings.filter(({ status }) => status === 'fail')).toMatchObject([{ check: 'engine' }]);
  for (const { status, remedy } of findings) expect(remedy === null).toBe(status === 'ok');
  const port = await freePort();
  const away = await lading(['doctor'], { env: { ...env, LADING_URL: `http://127.0.0.1:${port}` } });
  expect(away.stdout).toMatch(new RegExp(`^fail  api: http://127.0.0.1:${port}: .*ECONNREFUSED`, 'm'));
});
