/**
 * Many paid orders at once: jobs a second that Lading brings to running, from the first attempt's row to the last job's
 * first line after its envelope, against the least loop that brings as many of the same jobs as far, from its first call.
 * They take turns on the same daemon. No job works while others are launched (its provider holds back the manifest), so
 * that what is measured is launching. Told beside it: the time from the first payment, and what containers of the image
 * cost that are only started.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { containerSpec } from '../orchestrator/container-spec.ts';
import { oneMasterKey } from '../keys/master-keys.ts';
import { envelopeFor } from '../orchestrator/envelope-for.ts';
import { makeProfiles } from '../orchestrator/profiles.ts';
import { bareLoop, type BareJob } from './bare-loop.ts';
import { rounded, spreadOf } from './statistics.ts';
import { until } from './until.ts';
import { addCourse, jobImageId, newInstallation, say, sourceOf, startWorld, type World } from './world.ts';

/** The default of Lading's launch gate, and the loop's concurrency. */
const LAUNCHES_AT_ONCE = 4;
const ROUNDS = 5;
const WARM_UP_ROUNDS = 1;
const LIMIT_MS = 300_000;
/** The provider stand-in waits so long before each manifest: for the slowest daemon, and below the job's own limit. */
const holdBackMs = (orders: number): number => Math.min(45_000, 5_000 + orders * 500);

type Burst = { perSecond: number; paidToLastRunningMs: number };

async function holdBackManifests(world: World, ms: number): Promise<void> {
  const fault = { match: { path: 'manifest.json' }, latencyMs: ms };
  const agent = new Agent({ connect: { ca: world.system.caPem } });
  const answer = await fetch(`${world.system.providerUrl}/sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
    dispatcher: agent,
  });
  await agent.close();
  if (!answer.ok) throw new Error(`the provider stand-in answered ${answer.status}`);
}

async function burstOf(world: World, orders: number, round: number): Promise<Burst> {
  const placed = [];
  for (let i = 0; i < orders; i += 1)
    placed.push(await world.customer.order('held-back', `burst-${round}-${i}@shop.example`));
  const codes = placed.map((order) => order.code);
  const paid = await Promise.all(placed.map((order) => world.bank.pay(order)));
  const firstPaidAt = Math.min(...paid.map((one) => one.answeredAt));
  const times = await until('every job runs', LIMIT_MS, async () => {
    const { rows } = await world.pool.query<{ running: number; begun: number; last: number }>(
      `SELECT count(a.running_at) AS running, extract(epoch FROM min(a.created_at))::float8 * 1000 AS begun,
              extract(epoch FROM max(a.running_at))::float8 * 1000 AS last
       FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN orders o ON o.id = j.order_id
       WHERE o.code = ANY ($1::text[])`,
      [codes],
    );
    return rows[0]?.running === orders ? rows[0] : undefined;
  });
  await until('every job is completed', LIMIT_MS, async () => {
    const { rows } = await world.pool.query<{ open: number; attempts: number }>(
      `SELECT (SELECT count(*) FROM jobs WHERE state <> 'completed') AS open,
              (SELECT count(*) FROM attempts WHERE state <> 'settled') AS attempts`,
    );
    return rows[0]?.open === 0 && rows[0].attempts === 0 ? true : undefined;
  });
  return {
    perSecond: rounded(orders / ((times.last - times.begun) / 1_000)),
    paidToLastRunningMs: rounded(times.last - firstPaidAt),
  };
}

/** Jobs of the same spec and with an envelope of the same content as Lading's own, for the same provider. */
function bareJobs(world: World, image: string, count: number): BareJob[] {
  const secret = (name: string): string => readFileSync(join(world.system.runDir, 'secrets', name), 'utf8');
  const limits = makeProfiles({}).get('standard');
  if (!limits) throw new Error('no standard profile');
  const installation = newInstallation();
  return Array.from({ length: count }, () => {
    const ids = { job_id: randomUUID(), id: randomUUID(), n: 1, profile: 'standard' };
    return {
      spec: containerSpec({
        installation,
        engine: 'bare',
        use: { jobId: ids.job_id, attemptId: ids.id, attemptNumber: ids.n },
        profile: ids.profile,
        limits,
        image,
        egressDir: world.system.egressDir,
      }),
      envelope: envelopeFor(
        {
          egressKey: Buffer.from(secret('egress_key'), 'base64'),
          masterKeys: oneMasterKey(Buffer.from(secret('master_key'), 'base64')),
          googleApiUrl: world.system.googleUrl,
          driveParentFolderId: 'bare',
          providerTokens: new Map([['sandbox', secret('provider_token')]]),
          extraCaPem: world.system.caPem,
        },
        {
          ...ids,
          deadline_at: new Date(Date.now() + limits.deadlineSeconds * 1_000),
          course_id: 'held-back',
          course_title: 'Course held-back',
          course_provider: 'manifest',
          course_folder: 'personal',
          course_source: sourceOf(world, 'tiny'),
          order_code: 'LDBARE',
        },
        limits,
        'bare',
      ),
    };
  });
}

export async function benchBurst(options: { orders: number; dockerHost: string }) {
  const { orders, dockerHost } = options;
  const image = jobImageId();
  const world = await startWorld({
    jobImage: image,
    dockerHost,
    slots: orders,
    env: {
      // Sleeping jobs need no memory; the admission by memory is not what is measured.
      orchestrator: { STANDBY: '0', ENGINE_LAUNCHES: String(LAUNCHES_AT_ONCE), ENGINE_MEMORY_MIB: '1000000' },
    },
  });
  const bare: number[] = [];
  const startOnly: number[] = [];
  const bursts: Burst[] = [];
  try {
    await addCourse(world, { id: 'held-back', of: 'tiny' });
    await holdBackManifests(world, holdBackMs(orders));
    for (let round = 1 - WARM_UP_ROUNDS; round <= ROUNDS; round += 1) {
      const bareRound = async (upTo: 'started' | 'accepted'): Promise<number> =>
        rounded(await bareLoop(dockerHost, bareJobs(world, image, orders), LAUNCHES_AT_ONCE, upTo));
      const started = await bareRound('started');
      // Now one first, now the other: a machine that gets slower or faster meanwhile favours neither.
      const bareFirst = round % 2 === 0 ? undefined : await bareRound('accepted');
      const burst = await burstOf(world, orders, round);
      const launched = bareFirst ?? (await bareRound('accepted'));
      say(
        `${round < 1 ? 'warm-up' : `round ${round} of ${ROUNDS}`}: bare loop ${launched} a second (create and start alone ${started}), Lading ${burst.perSecond} a second, all running ${burst.paidToLastRunningMs} ms after the first was paid`,
      );
      if (round < 1) continue;
      startOnly.push(started);
      bare.push(launched);
      bursts.push(burst);
    }
  } finally {
    await world.stop();
  }
  const lading = spreadOf(bursts.map((burst) => burst.perSecond));
  const ratio = spreadOf(bursts.map((burst, i) => burst.perSecond / (bare[i] ?? Number.NaN)));
  const loop = spreadOf(bare);
  const paidToLast = spreadOf(bursts.map((burst) => burst.paidToLastRunningMs));
  const starts = spreadOf(startOnly);
  return {
    launches_per_second: lading.p50,
    bare_loop_per_second: loop.p50,
    ratio: rounded(lading.p50 / loop.p50, 3),
    create_and_start_alone_per_second: starts.p50,
    paid_to_last_running_ms_p50: paidToLast.p50,
    orders,
    rounds: ROUNDS,
    launches_at_once: LAUNCHES_AT_ONCE,
    spread: {
      ratio,
      launches_per_second: lading,
      bare_loop_per_second: loop,
      create_and_start_alone_per_second: starts,
    },
    raw: { bursts, bare_loop_per_second: bare, create_and_start_alone_per_second: startOnly },
  };
}
