import { loggedAttempts, type LoggedAttempt } from '../sql/log-reports.ts';
import { findLogEnd, readLog, type Reading, type StoredChunk } from '../sql/logs.ts';
import type { Pool } from '../sql/pool.ts';
import { findJobReport } from '../sql/reports.ts';
import { CommandError, EXIT } from './exit.ts';
import { startProof, type Proof } from '../sql/log-proof.ts';

const ATTEMPTS_PAGE = 100;
/** How many chunks are in memory at once, each a few hundred KiB. */
const PAGE_CHUNKS = 16;

/** The stored chunks of an attempt, page by page, as far as there are any now. */
async function* storedChunks(pool: Pool, attemptId: string, reading: Reading): AsyncGenerator<StoredChunk> {
  let next = 0;
  for (;;) {
    const page = await readLog(pool, attemptId, next, PAGE_CHUNKS, reading);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    next = last.seq + 1;
  }
}

async function jobCalled(pool: Pool, idOrCode: string): Promise<string> {
  const job = await findJobReport(pool, idOrCode);
  if (job === undefined) throw new CommandError(EXIT.no, `no job or order is called ${idOrCode}`);
  return job.id;
}

export type AttemptProof = { attempt_id: string; job_id: string; order_code: string; n: number } & Proof;

async function prove(pool: Pool, attempt: LoggedAttempt, reading: Reading): Promise<AttemptProof> {
  // The end before the chunks: once it is there, no chunk comes after it.
  const end = await findLogEnd(pool, attempt.id);
  const proof = startProof();
  for await (const chunk of storedChunks(pool, attempt.id, reading)) proof.take(chunk);
  const { id, job_id, order_code, n } = attempt;
  return { attempt_id: id, job_id, order_code, n, ...proof.finish(attempt, end) };
}

/** Proves the logs of a job's attempts, or of attempt `n` alone; without a job, of all attempts there are. */
export async function* proveLogs(
  pool: Pool,
  job: string | undefined,
  n: number | undefined,
  reading: Reading,
): AsyncGenerator<AttemptProof> {
  const jobId = job === undefined ? undefined : await jobCalled(pool, job);
  let after: string | undefined;
  let proved = 0;
  for (;;) {
    const page = await loggedAttempts(pool, jobId, after, ATTEMPTS_PAGE);
    for (const attempt of page) {
      if (n !== undefined && attempt.n !== n) continue;
      proved += 1;
      yield await prove(pool, attempt, reading);
    }
    after = page.at(-1)?.id;
    if (after === undefined) break;
  }
  if (proved === 0 && jobId !== undefined) throw new CommandError(EXIT.no, `job ${jobId} has no attempt ${n ?? 'yet'}`);
}

function proofLines(proof: AttemptProof): string {
  const { status, order_code, n, chunks, lines, raw_bytes, lines_cut, gaps, final_hash, faults } = proof;
  const cut = lines_cut > 0 ? `, ${lines_cut} lines cut` : '';
  const lost = gaps > 0 ? `, ${gaps} gaps` : '';
  const seen = `${chunks} chunks, ${lines} lines, ${raw_bytes} bytes${cut}${lost}, ${final_hash}`;
  return [
    `${status.padEnd(7)}  ${order_code}  attempt ${n}  ${seen}`,
    ...faults.map((fault) => `         ${fault}`),
    '',
  ].join('\n');
}

/** One line a proof and a sum, or a JSON array; as they come. `onBroken` hears of each log that is not as it was. */
export async function* showProofs(
  proofs: AsyncIterable<AttemptProof>,
  asJson: boolean,
  onBroken: () => void,
): AsyncGenerator<string> {
  const counted = { ok: 0, running: 0, broken: 0 };
  for await (const proof of proofs) {
    const isFirst = counted.ok + counted.running + counted.broken === 0;
    counted[proof.status] += 1;
    if (proof.status === 'broken') onBroken();
    yield asJson ? `${isFirst ? '[' : ','}\n${JSON.stringify(proof)}` : proofLines(proof);
  }
  const total = counted.ok + counted.running + counted.broken;
  if (asJson) yield total === 0 ? '[]\n' : '\n]\n';
  else yield `${counted.ok} ok, ${counted.running} running, ${counted.broken} broken\n`;
}
