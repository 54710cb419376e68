/** What script/compose-check does once images, secrets and environment are there. Removes CHECK_DIR when done. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { callJson, makeCustomer, type PlacedOrder } from '../sandbox/customer.ts';
import { composeStack, type ComposeStack } from './compose-stack.ts';

const ORCHESTRATORS = 3;
const ORDERS = 6;
const DELIVERY_LIMIT_MS = 180_000;
const REMOVAL_LIMIT_MS = 30_000;
const PAID_ON_TIME = ['completed', 'failed'];
const COURSE_ID = 'small';
const COURSE_DIR = 'sandbox/course/small';

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const emailOf = (index: number): string => `customer-${index + 1}@lading.example`;

const jobSchema = z.object({
  id: z.string(),
  attemptList: z.array(z.object({ containerId: z.string().nullable(), exitCode: z.int().nullable() })),
});
const driveSchema = z.array(
  z.object({
    size: z.number().nullable(),
    sha256: z.string().nullable(),
    trashed: z.boolean(),
    appProperties: z.record(z.string(), z.string()),
    permissions: z.array(z.object({ emailAddress: z.string().optional() })),
  }),
);
const mailsSchema = z.array(z.object({ to: z.array(z.string()), subject: z.string() }));

const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Sorted sha256 of the course's files as they are in the checkout. */
const sourceHashes = (): string[] =>
  readdirSync(COURSE_DIR, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) =>
      createHash('sha256')
        .update(readFileSync(join(entry.parentPath, entry.name)))
        .digest('hex'),
    )
    .toSorted();

async function putCourse(stack: ComposeStack): Promise<void> {
  const base = `https://sandbox-provider:8443/courses/${COURSE_ID}`;
  const dir = mkdtempSync(join(tmpdir(), 'lading-catalogue-'));
  const file = join(dir, 'catalogue.json');
  const course = {
    id: COURSE_ID,
    title: 'The small course',
    priceVnd: 199_000,
    provider: 'manifest',
    source: { manifestUrl: `${base}/manifest.json`, enrolUrl: `${base}/enrolments`, bearer: 'sandbox' },
    rights: {
      kind: 'own',
      evidence: `sha256:${sha256Of(join(COURSE_DIR, 'LICENCE.md'))}`,
      recordedBy: 'compose-check',
    },
  };
  writeFileSync(file, JSON.stringify(course), { mode: 0o644 });
  try {
    await stack.cli(['keys', 'create', 'compose-check', '--role', 'operator', '--key-file', '/run/operator/key']);
    await stack.cli(['courses', 'put', '/catalogue.json'], [`${file}:/catalogue.json:ro`]);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Every difference between what an order should have led to and what it did; empty means delivered. */
function problemsOf(seen: {
  order: PlacedOrder;
  email: string;
  status: string;
  report: z.infer<typeof jobSchema>;
  drive: z.infer<typeof driveSchema>;
  mails: z.infer<typeof mailsSchema>;
  source: readonly string[];
}): string[] {
  const mine = seen.drive.filter((file) => file.appProperties['ladingJob'] === seen.report.id && !file.trashed);
  const arrived = mine.flatMap((file) => (file.size === null ? [] : [file.sha256 ?? ''])).toSorted();
  const mails = seen.mails.filter((mail) => mail.to.includes(seen.email) && mail.subject.includes(seen.order.code));
  const granted = mine.some((file) => file.permissions.some((one) => one.emailAddress === seen.email));
  return [
    ...(seen.status === 'completed' ? [] : [`is ${seen.status}`]),
    ...(arrived.join() === seen.source.join() ? [] : [`${arrived.length} files in Drive, not the course's`]),
    ...(granted ? [] : ['no permission']),
    ...(mails.length === 1 ? [] : [`${mails.length} mails`]),
    ...(seen.report.attemptList.length === 1 ? [] : [`${seen.report.attemptList.length} attempts instead of one`]),
  ];
}

async function runOrders(stack: ComposeStack): Promise<string[]> {
  const apiUrl = `http://${await stack.address('api', 8080)}`;
  const customer = makeCustomer({ apiUrl, sepayUrl: `http://${await stack.address('sandbox-sepay', 8080)}` });
  const startedAt = Date.now();
  const orders = await Promise.all(Array.from({ length: ORDERS }, (_, i) => customer.order(COURSE_ID, emailOf(i))));
  const webhooks = await Promise.all(orders.map((order) => customer.pay(order)));
  const undelivered = webhooks.filter((webhook) => !webhook.delivered);
  if (undelivered.length > 0) throw new Error(`webhooks were not taken: ${JSON.stringify(undelivered)}`);
  const ends = await Promise.all(
    orders.map(async (order) => {
      const { status } = await customer.waitFor(order, PAID_ON_TIME, DELIVERY_LIMIT_MS);
      return { status, seconds: (Date.now() - startedAt) / 1_000 };
    }),
  );

  const googlePort = (await stack.address('sandbox-google', 8443)).split(':').at(-1);
  const drive = await callJson(driveSchema, `https://localhost:${googlePort}/sandbox/files`);
  const mails = await callJson(mailsSchema, `http://${await stack.address('sandbox-mail', 8080)}/sandbox/mails`);
  const starters = new Map<string, string>();
  for (const { name, lines } of await stack.orchestratorLogs())
    for (const line of lines.filter((each) => each.includes('"attempt running"')))
      starters.set(z.object({ container: z.string() }).parse(JSON.parse(line)).container, name);

  const source = sourceHashes();
  const problems: string[] = [];
  const rows: Record<string, string | number | null>[] = [];
  for (const [i, order] of orders.entries()) {
    const report = jobSchema.parse(JSON.parse(await stack.cli(['jobs', 'show', order.code, '--json'])));
    const end = ends[i] ?? { status: 'unknown', seconds: 0 };
    const found = problemsOf({ order, email: emailOf(i), ...end, report, drive, mails, source });
    problems.push(...found.map((problem) => `order ${order.code}: ${problem}`));
    const last = report.attemptList.at(-1);
    rows.push({
      order: order.code,
      status: end.status,
      container: last?.containerId?.slice(0, 12) ?? null,
      'started by': starters.get(last?.containerId ?? '') ?? null,
      exit: last?.exitCode ?? null,
      attempts: report.attemptList.length,
      seconds: Number(end.seconds.toFixed(1)),
    });
  }
  console.table(rows);
  return problems;
}

async function noJobContainerLeft(stack: ComposeStack): Promise<string[]> {
  const giveUpAt = Date.now() + REMOVAL_LIMIT_MS;
  for (;;) {
    // Standbys wait for the next job; they go when their orchestrators go.
    const left = (await stack.jobContainers()).filter(({ Name }) => !Name.includes('-standby-'));
    if (left.length === 0) return [];
    if (Date.now() > giveUpAt) return left.map(({ Name }) => `${Name} was not removed`);
    await sleep(250);
  }
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing: run script/compose-check`);
  return value;
}

const workDir = required('CHECK_DIR');
const interrupt = new AbortController();
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      reject(new Error(`interrupted by ${signal}`));
      interrupt.abort();
    });
});
const stack = composeStack({
  command: required('COMPOSE_COMMAND'),
  project: required('COMPOSE_PROJECT_NAME'),
  installation: required('LADING_INSTALLATION'),
  interrupted: interrupt.signal,
});

async function check(): Promise<string[]> {
  say(`bringing up ${ORCHESTRATORS} orchestrators and the rest`);
  await stack.up(ORCHESTRATORS);
  await stack.healthy();
  await putCourse(stack);
  say(`placing and paying ${ORDERS} orders`);
  return [...(await runOrders(stack)), ...(await noJobContainerLeft(stack))];
}

let problems: string[];
try {
  problems = await Promise.race([check(), interrupted]);
} catch (error) {
  problems = [error instanceof Error ? error.message : String(error)];
}
if (problems.length > 0) say(await stack.logTail());
say('taking it down');
problems.push(...(await stack.down()).map((left) => `${left} stayed behind`));
rmSync(workDir, { recursive: true, force: true });
for (const problem of problems) say(`✗ ${problem}`);
say(problems.length === 0 ? `✓ ${ORDERS} orders delivered` : `compose-check found ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
