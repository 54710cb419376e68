/** What became of one order, read from Postgres, the Drive stand-in and the mailbox, and compared with the source. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { callJson, makeCustomer, type PlacedOrder } from '../sandbox/customer.ts';
import { getJson } from '../sandbox/https.ts';
import type { System } from '../sandbox/system.ts';
import type { Pool } from '../sql/pool.ts';
import { maybeOne } from '../sql/pool.ts';

type AttemptEvidence = {
  n: number;
  container_id: string | null;
  image: string;
  exit_code: number | null;
  outcome: string | null;
  started_at: string | null;
  finished_at: string | null;
};
export type OrderEvidence = {
  order: { code: string; status: string };
  job: { id: string; attempts: AttemptEvidence[] };
  limits: string;
  files: { path: string; size: number; sha256: string; drive_id: string }[];
  granted_to: string | null;
  mail: { to: string; subject: string; message_id: string } | null;
  ms: { paid_to_running: number | null; total: number };
  /** Everything that is not as it should be; empty means delivered. */
  problems: string[];
};

const sourceHashes = new Map<string, Promise<Map<string, string>>>();

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function hashCourse(dir: string): Promise<Map<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name));
  const hashes = new Map<string, string>();
  for (const path of paths) hashes.set(relative(dir, path).normalize('NFC'), await hashFile(path));
  return hashes;
}

/** sha256 of every file of the course by path, read from disk; the provider's own manifest is not believed. */
function sourceOf(courseDir: string): Promise<Map<string, string>> {
  const known = sourceHashes.get(courseDir) ?? hashCourse(courseDir);
  sourceHashes.set(courseDir, known);
  return known;
}

const driveSchema = z.array(
  z.object({
    id: z.string(),
    path: z.string(),
    size: z.number().nullable(),
    sha256: z.string().nullable(),
    appProperties: z.record(z.string(), z.string()),
    permissions: z.array(z.object({ role: z.string(), emailAddress: z.string().optional() })),
    trashed: z.boolean(),
  }),
);
type DriveListing = z.infer<typeof driveSchema>;

const mailsSchema = z.array(z.object({ to: z.array(z.string()), subject: z.string(), messageId: z.string() }));

async function attemptsOf(
  pool: Pool,
  jobId: string,
): Promise<{ attempts: AttemptEvidence[]; limits: string; paidToRunningMs: number | null }> {
  const { rows } = await pool.query<
    AttemptEvidence & { limits: { memoryBytes: number; nanoCpus: number; pids: number }; wait: number | null }
  >(
    `SELECT a.n, a.container_id, a.image, a.exit_code, a.outcome, a.running_at AS started_at, a.settled_at AS finished_at,
            a.limits, extract(epoch FROM a.running_at - j.created_at)::float8 * 1000 AS wait
     FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = $1::uuid ORDER BY a.n`,
    [jobId],
  );
  const [first] = rows;
  return {
    attempts: rows.map(({ limits: _, wait: __, ...attempt }) => ({
      ...attempt,
      started_at: attempt.started_at && new Date(attempt.started_at).toISOString(),
      finished_at: attempt.finished_at && new Date(attempt.finished_at).toISOString(),
    })),
    limits: first
      ? `${first.limits.memoryBytes / 1024 / 1024} MiB without swap, ${first.limits.nanoCpus / 1e9} CPU, ${first.limits.pids} processes, no network, read-only root, no capability`
      : 'none',
    paidToRunningMs: typeof first?.wait === 'number' ? Math.round(first.wait) : null,
  };
}

function comparedFiles(listing: DriveListing, jobId: string, source: Map<string, string>) {
  const folder = listing.find(
    (file) =>
      file.size === null && file.appProperties['ladingJob'] === jobId && !file.path.replace(/^\//, '').includes('/'),
  );
  const prefix = folder ? `${folder.path}/` : undefined;
  const files = listing.filter(
    (file) => file.size !== null && !file.trashed && prefix !== undefined && file.path.startsWith(prefix),
  );
  const arrived = new Map(files.map((file) => [file.path.slice(prefix?.length ?? 0).normalize('NFC'), file]));
  const problems = [
    ...[...source].flatMap(([path, sha256]) => {
      const file = arrived.get(path);
      if (!file) return [`${path} is not in Drive`];
      return file.sha256 === sha256 ? [] : [`${path} differs from its source`];
    }),
    ...[...arrived.keys()]
      .filter((path) => !source.has(path))
      .map((path) => `${path} is in Drive and not in the course`),
    ...(arrived.size === files.length ? [] : ['a file is in Drive twice']),
  ];
  return {
    problems,
    folder,
    files: [...arrived]
      .map(([path, file]) => ({ path, size: file.size ?? 0, sha256: file.sha256 ?? '', drive_id: file.id }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

export async function collectEvidence(about: {
  system: System;
  pool: Pool;
  order: PlacedOrder;
  email: string;
  courseDir: string;
  startedAt: number;
}): Promise<OrderEvidence> {
  const { system, pool, order, email } = about;
  const { status, failure } = await makeCustomer(system).status(order);
  const job = await maybeOne<{ id: string; dead_detail: string | null }>(
    pool,
    'SELECT j.id, j.dead_detail FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1::text',
    [order.code],
  );
  if (!job) throw new Error(`order ${order.code} has no job`);
  const { attempts, limits, paidToRunningMs } = await attemptsOf(pool, job.id);
  const compared = comparedFiles(
    driveSchema.parse(await getJson(`${system.googleUrl}/sandbox/files`, system.caPem)),
    job.id,
    await sourceOf(about.courseDir),
  );
  const permission = compared.folder?.permissions.find((one) => one.role === 'reader' && one.emailAddress === email);
  const mails = await callJson(mailsSchema, `${system.mailControlUrl}/sandbox/mails`);
  const mine = mails.filter((one) => one.to.includes(email) && one.subject.includes(order.code));
  const [mail] = mine;
  return {
    order: { code: order.code, status },
    job: { id: job.id, attempts },
    limits,
    files: compared.files,
    granted_to: permission?.emailAddress ?? null,
    mail: mail ? { to: email, subject: mail.subject, message_id: mail.messageId } : null,
    ms: { paid_to_running: paidToRunningMs, total: Date.now() - about.startedAt },
    problems: [
      ...(status === 'completed' ? [] : [`the order is ${status}: ${failure?.reason ?? ''} ${job.dead_detail ?? ''}`]),
      ...compared.problems,
      ...(permission ? [] : [`${email} may not read the folder`]),
      ...(mine.length === 1 ? [] : [`${mine.length} mails instead of one`]),
    ],
  };
}
