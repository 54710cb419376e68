/**
 * The main job, before your eyes: starts a whole Lading with its stand-ins, orders a course, pays, follows the download
 * in its container to Drive and the mail, and checks every byte that arrived.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import { InvalidArgumentError, program } from 'commander';
import { toString as drawQr } from 'qrcode';
import { buildCourse } from '../sandbox/course/build.ts';
import { defaultCacheDir } from '../sandbox/course/course-dir.ts';
import { makeCustomer, type PlacedOrder } from '../sandbox/customer.ts';
import { startSystem, type System } from '../sandbox/system.ts';
import { makePool } from '../sql/pool.ts';
import { collectEvidence, type OrderEvidence } from './demo-evidence.ts';

const ORDERS_MAX = 100;
const DELIVERY_LIMIT_MS = 15 * 60_000;
const SLOTS = 4;
const EXIT_USAGE = 64;

function orderCount(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > ORDERS_MAX) throw new InvalidArgumentError(`a number from 1 to ${ORDERS_MAX}.`);
  return count;
}

const options = program
  .name('demo')
  .option('--json', 'one JSON object as the last line of stdout', false)
  .option('--orders <n>', 'paid orders at once', orderCount, 1)
  .option('--keep', 'leave everything running and print where to look', false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE))
  .parse()
  .opts<{ json: boolean; orders: number; keep: boolean }>();

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (text = ''): void => void process.stderr.write(`${text}\n`);
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

function jobImageId(): string {
  const said = execFileSync(join(root, 'script/job-image'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return (JSON.parse(said.trim().split('\n').at(-1) ?? '') as { id: string }).id;
}

function seedCatalogue(system: System, course: { id: string; title: string; licence: string }): void {
  const file = join(system.runDir, 'catalogue.json');
  writeFileSync(
    file,
    JSON.stringify({
      id: course.id,
      title: course.title,
      priceVnd: 499_000,
      provider: 'manifest',
      source: {
        manifestUrl: `${system.providerUrl}/courses/${course.id}/manifest.json`,
        enrolUrl: `${system.providerUrl}/courses/${course.id}/enrolments`,
        bearer: 'sandbox',
      },
      rights: { kind: 'open', evidence: 'https://debian-handbook.info/', recordedBy: 'demo' },
    }),
  );
  const secret = (name: string): string => join(system.runDir, 'secrets', name);
  const lading = (args: readonly string[], env: Record<string, string>): void => {
    execFileSync(process.execPath, [join(root, 'cli/main.ts'), ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  writeFileSync(secret('owner_database_url'), system.databaseUrl('lading_owner'), { mode: 0o600 });
  const keyFile = secret('operator_key');
  lading(['keys', 'create', 'demo', '--role', 'operator', '--days', '1', '--key-file', keyFile], {
    DATABASE_URL_FILE: secret('owner_database_url'),
  });
  lading(['courses', 'put', file], { LADING_URL: system.apiUrl, LADING_KEY_FILE: keyFile });
}

async function follow(system: System, orders: readonly PlacedOrder[]): Promise<void> {
  const customer = makeCustomer(system);
  const bar = new SingleBar({
    format: ' {bar} {percentage}% | {status} | {files} files | {mib} MiB | {rate} MiB/s',
    stream: process.stderr,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 2_000,
  });
  bar.start(1, 0, { status: 'paid', files: '0', mib: '0.0', rate: '0.0' });
  const looks = new Map<string, { done: number; total: number; files: number; rate: number; status: string }>();
  const draw = (): void => {
    const all = [...looks.values()];
    const sum = (of: (look: (typeof all)[number]) => number): number =>
      all.reduce((total, look) => total + of(look), 0);
    const status =
      orders.length === 1
        ? (all[0]?.status ?? 'paid')
        : `${all.filter((look) => look.status === 'completed').length}/${orders.length} completed`;
    bar.setTotal(
      Math.max(
        1,
        sum((look) => look.total),
      ),
    );
    bar.update(
      sum((look) => look.done),
      {
        status,
        files: String(sum((look) => look.files)),
        mib: mebibytes(sum((look) => look.done)),
        rate: mebibytes(sum((look) => look.rate)),
      },
    );
  };
  try {
    await Promise.all(
      orders.map((order) =>
        customer.waitFor(order, ['completed', 'failed'], DELIVERY_LIMIT_MS, (seen) => {
          const { bytesDone = 0, bytesTotal = 0, filesDone = 0, bytesPerSecond = 0 } = seen.progress ?? {};
          looks.set(order.code, {
            done: bytesDone,
            total: bytesTotal,
            files: filesDone,
            rate: seen.status === 'downloading' ? bytesPerSecond : 0,
            status: seen.status,
          });
          draw();
        }),
      ),
    );
  } finally {
    bar.stop();
  }
}

function printTable(evidence: OrderEvidence): void {
  const { order, job, limits, files, granted_to: grantedTo, mail, ms, problems } = evidence;
  const [attempt] = job.attempts.slice(-1);
  const bytes = files.reduce((total, file) => total + file.size, 0);
  const seconds = attempt?.finished_at
    ? (Date.parse(attempt.finished_at) - Date.parse(attempt.started_at ?? '')) / 1000
    : 0;
  const rows: [string, string][] = [
    ['order', `${order.code}  ${order.status}`],
    ['job', `${job.id}  ${job.attempts.length} attempt(s)`],
    ['container', attempt?.container_id?.slice(0, 12) ?? 'none'],
    ['image', attempt?.image ?? 'none'],
    ['limits', limits],
    ['exit code', `${attempt?.exit_code ?? 'none'}  ${attempt?.outcome ?? ''}`],
    ['files', `${files.length}, every sha256 compared with its source`],
    ['bytes', `${bytes} (${mebibytes(bytes)} MiB)`],
    ['seconds', seconds.toFixed(1)],
    ['MB/s', seconds > 0 ? (bytes / 1e6 / seconds).toFixed(1) : 'none'],
    ['paid to running', `${ms.paid_to_running} ms`],
    ['Drive permission', grantedTo ? `reader, ${grantedTo}` : 'none'],
    ['mail', mail ? `${mail.subject}  ${mail.message_id}` : 'none'],
  ];
  for (const [name, value] of rows) say(`  ${name.padEnd(17)}${value}`);
  for (const problem of problems) say(`  PROBLEM          ${problem}`);
}

async function untilInterrupted(system: System): Promise<void> {
  say();
  say(`  shop       ${system.apiUrl}/`);
  say(
    `  pay        curl ${system.sepayUrl}/sandbox/transfers --json '{"accountNumber":"${system.bank.accountNumber}","amount":499000,"content":"ORDER CODE"}'`,
  );
  say(`  API        ${system.apiUrl}/docs`);
  say(
    `  operator   LADING_URL=${system.apiUrl} LADING_KEY_FILE=${system.runDir}/secrets/operator_key node cli/main.ts jobs list`,
  );
  say(`  Drive      ${system.googleUrl}/sandbox/files   (curl --cacert ${system.runDir}/tls/ca.pem)`);
  say(`  mails      ${system.mailControlUrl}/sandbox/mails`);
  for (const name of ['orchestrator-1', 'egress', 'api']) {
    const { operationsUrl, url } = system.processes.get(name)?.listening ?? {};
    say(`  ${name.padEnd(15)} ${operationsUrl ?? url}/metrics`);
  }
  say(`  database   ${system.databaseUrl('lading_auditor')}`);
  say(`  log files  ${system.runDir}/logs`);
  say('  Ctrl-C stops everything.');
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}

async function demonstrate(system: System, course: Awaited<ReturnType<typeof buildCourse>>): Promise<boolean> {
  const startedAt = Date.now();
  seedCatalogue(system, course);
  const customer = makeCustomer(system);
  for (const one of await customer.catalogue())
    say(`  ${one.id}  ${one.title}  ${one.priceVnd.toLocaleString('vi-VN')} ₫`);
  const emails = Array.from({ length: options.orders }, (_, i) => `customer-${i + 1}@shop.example`);
  const orders = await Promise.all(emails.map((email) => customer.order(course.id, email)));
  const [first] = orders;
  if (!first) throw new Error('no order');
  say(
    `\nOrder ${first.code}: transfer ${first.amountVnd.toLocaleString('vi-VN')} ₫ to ${first.bank.accountNumber}, content ${first.transferContent}`,
  );
  say(`Its page: ${first.pageUrl}`);
  say(await drawQr(first.qr.payload, { type: 'terminal', small: true }));
  say('Paying: SePay sends its signed webhook.');
  for (const paid of await Promise.all(orders.map((order) => customer.pay(order))))
    if (!paid.delivered) throw new Error(`the webhook was answered ${paid.status}: ${paid.body}`);
  await follow(system, orders);

  const pool = makePool({
    connectionString: system.databaseUrl('lading_auditor'),
    applicationName: 'demo',
    max: 2,
    onError: () => undefined,
  });
  const evidence: OrderEvidence[] = [];
  try {
    for (const [i, order] of orders.entries())
      evidence.push(
        await collectEvidence({ system, pool, order, email: emails[i] ?? '', courseDir: course.dir, startedAt }),
      );
  } finally {
    await pool.end();
  }
  const ok = evidence.every((one) => one.problems.length === 0);
  say();
  for (const one of evidence.slice(0, 3)) printTable(one);
  if (evidence.length > 3)
    say(
      `  … and ${evidence.length - 3} more, ${evidence.filter((one) => one.problems.length === 0).length} of ${evidence.length} without a problem`,
    );
  say(ok ? '\nDelivered, and every byte checked.' : '\nNOT delivered as it should be.');
  say('Where to look next: README.md; ARCHITECTURE.md; ./script/demo --keep leaves it running.');
  if (options.json) {
    const shown = evidence.map(({ limits: _, problems, ...rest }) => ({
      ok: problems.length === 0,
      ...rest,
      ...(problems.length > 0 ? { problems } : {}),
    }));
    process.stdout.write(`${JSON.stringify(shown.length === 1 ? shown[0] : { ok, orders: shown })}\n`);
  }
  return ok;
}

async function main(): Promise<boolean> {
  say('Lading demo: one order from the catalogue to the mail, on real parts.');
  const course = await buildCourse({
    cacheDir: defaultCacheDir(process.env['XDG_CACHE_HOME'], homedir()),
    log: say,
  });
  say(
    `Course: ${course.title}, ${course.origin === 'debian' ? "from Debian's package" : `shipped with the repository (${course.why ?? ''})`}, ${course.licence}`,
  );
  const image = jobImageId();
  const installation = `demo-${randomBytes(4).toString('hex')}`;
  const starting = startSystem({
    installation,
    jobImage: image,
    dockerHost: process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock',
    databaseUrl: process.env['DATABASE_URL'],
    coursesDir: join(course.dir, '..'),
    slots: SLOTS,
  });
  // From here on there is something to stop, also while it starts.
  const interrupted = (): void =>
    void starting
      .then((system) => system.stop())
      .catch(() => undefined)
      .finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const system = await starting;
  say(`Started ${[...system.processes.keys()].join(', ')} (installation ${installation}).\n`);
  let ok = false;
  try {
    ok = await demonstrate(system, course);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    if (options.keep) await untilInterrupted(system);
    return ok;
  } finally {
    await system.stop({ keepLogs: !ok });
    if (!ok) say(`The logs of every process are kept: ${system.runDir}/logs`);
  }
}

main().then(
  (ok) => process.exit(ok ? 0 : 1),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    if (options.json)
      process.stdout.write(
        `${JSON.stringify({ ok: false, error: error instanceof Error ? error.message : String(error) })}\n`,
      );
    process.exit(1);
  },
);
