import { deriveAttemptKey } from '../../job-image/contract/attempt-key.ts';
import { mintEgressToken } from '../../job-image/contract/egress-token.ts';
import { secretsOf, type Envelope } from '../../job-image/contract/envelope.ts';
import {
  beginAttempt,
  beginRunning,
  recordContainer,
  recordStop,
  type AttemptRow,
  type Lease,
} from '../../sql/attempts.ts';
import { findCourse, type CourseRow } from '../../sql/courses.ts';
import { bury, findJob } from '../../sql/jobs.ts';
import { orderCodeOfJob } from '../../sql/orders.ts';
import { containerSpec, type ContainerSpec } from '../container-spec.ts';
import { EngineError, type Engine } from '../engine/engine.ts';
import type { Following } from '../following.ts';
import type { Google } from '../google.ts';
import { handshake } from '../handshake.ts';
import { hardeningMismatches, type InspectedContainer } from '../hardening.ts';
import { makeMasker } from '../logs/masker.ts';
import { settleAttempt, type SettleDeps } from '../observe.ts';
import type { Evidence } from '../outcome.ts';
import type { Limits, Profiles } from '../profiles.ts';
import { bearerOf, manifestSourceSchema } from '../providers/enrolment.ts';

/** The token outlives the deadline by what stopping and settling may take. */
const EGRESS_TOKEN_MARGIN_SECONDS = 300;

export type StartDeps = SettleDeps & {
  engine: Engine;
  engineName: string;
  installation: string;
  holder: string;
  leaseSeconds: number;
  profiles: Profiles;
  /** The job image's id on this engine. */
  image: string;
  egressDir: string;
  egressKey: Buffer;
  masterKey: Buffer;
  google: Google;
  googleApiUrl: string;
  driveParentFolderId: string;
  providerTokens: ReadonlyMap<string, string>;
  extraCaPem: string | undefined;
  following: Following;
  /** Attempts this process is starting right now: reconcile leaves them alone. */
  launching: Set<string>;
  onRunning: (attempt: AttemptRow) => void;
  onChange: () => void;
};

function envelopeFor(
  deps: StartDeps,
  attempt: AttemptRow,
  limits: Limits,
  course: CourseRow,
  orderCode: string,
  accessToken: string,
): Envelope {
  const source = manifestSourceSchema.parse(course.source);
  const bearer = bearerOf(source, deps.providerTokens);
  const deadlineSeconds = Math.ceil(attempt.deadline_at.getTime() / 1000);
  return {
    jobId: attempt.job_id,
    attemptId: attempt.id,
    attemptNumber: attempt.n,
    deadlineAt: attempt.deadline_at.toISOString(),
    course: { id: course.id, title: course.title },
    source: { provider: 'manifest', manifestUrl: source.manifestUrl, ...(bearer === undefined ? {} : { bearer }) },
    drive: {
      apiUrl: deps.googleApiUrl,
      accessToken,
      parentFolderId: deps.driveParentFolderId,
      folderName: `${course.title} (${orderCode})`.slice(0, 200),
    },
    egressToken: mintEgressToken(deps.egressKey, {
      attempt: attempt.id,
      profile: attempt.profile,
      expiresAt: deadlineSeconds + EGRESS_TOKEN_MARGIN_SECONDS,
    }),
    attemptKey: deriveAttemptKey(deps.masterKey, attempt.id),
    ...(deps.extraCaPem === undefined ? {} : { extraCaPem: deps.extraCaPem }),
    parallelFiles: limits.parallelFiles,
  };
}

const neverRan = (failure: NonNullable<Evidence['failure']>): Omit<Evidence, 'finalized' | 'stopReason'> => ({
  exitCode: null,
  oomKilled: false,
  end: undefined,
  failure,
});

function failureOf(error: unknown): NonNullable<Evidence['failure']> {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof EngineError)) return { outcome: 'start_failed', detail };
  if (error.failure === 'image_missing') return { outcome: 'image_missing', detail };
  return { outcome: error.failure === 'away' ? 'engine_lost' : 'start_failed', detail };
}

type Launch = { lease: Lease; attempt: AttemptRow; spec: ContainerSpec; envelope: () => Promise<Envelope> };

type Launched = { ended: 'running' | 'lost_lease' } | { ended: 'not_started'; detail: string };

/** From no container to one that has acknowledged its envelope. */
async function launch(deps: StartDeps, { lease, attempt, spec, envelope }: Launch): Promise<Launched> {
  const containerId = await deps.engine.create(spec);
  if (!(await recordContainer(deps.pool, lease, containerId))) {
    deps.onStaleWrite();
    await deps.engine.remove(containerId);
    return { ended: 'lost_lease' };
  }
  const stdio = await deps.engine.attach(containerId);
  await deps.engine.start(containerId).catch((error: unknown) => {
    stdio.destroy();
    throw error;
  });
  let sent: Envelope | undefined;
  const result = await handshake(
    stdio,
    async () => (sent = await envelope()),
    async (self) => {
      const seen = await deps.engine.inspect(containerId);
      return hardeningMismatches(spec, seen?.raw as InspectedContainer, self);
    },
  );
  if (!result.ok) {
    await recordStop(deps.pool, lease, result.reason);
    return { ended: 'not_started', detail: result.detail };
  }
  const running = await beginRunning(deps.pool, lease);
  if (!running) {
    deps.onStaleWrite();
    return { ended: 'lost_lease' };
  }
  deps.following.follow(running, containerId, makeMasker(sent ? secretsOf(sent) : []));
  deps.onRunning(running);
  deps.log.info({ job: attempt.job_id, attempt: attempt.id, n: attempt.n, container: containerId }, 'attempt running');
  return { ended: 'running' };
}

/** Claims a slot, makes a container, hands it its envelope. Ends there: the container outlives the task. */
export const makeStartAttemptTask =
  (deps: StartDeps) =>
  async (jobId: string): Promise<void> => {
    const job = await findJob(deps.pool, jobId);
    const course = job && (await findCourse(deps.pool, job.course_id));
    if (!job || !course || job.state !== 'enrolled') return;
    const limits = deps.profiles.get(course.profile);
    if (!limits) {
      await bury(deps.pool, jobId, 'enrolled', 'course_misconfigured', `no profile ${course.profile}`);
      return deps.onChange();
    }
    const attempt = await beginAttempt(deps.pool, jobId, {
      engine: deps.engineName,
      holder: deps.holder,
      leaseSeconds: deps.leaseSeconds,
      profile: course.profile,
      limits,
      image: deps.image,
      deadlineSeconds: limits.deadlineSeconds,
    });
    if (!attempt) return;
    const lease = { attemptId: attempt.id, epoch: attempt.lease_epoch };
    const spec = containerSpec({
      installation: deps.installation,
      engine: deps.engineName,
      jobId,
      attemptId: attempt.id,
      attemptNumber: attempt.n,
      profile: attempt.profile,
      limits,
      image: deps.image,
      egressDir: deps.egressDir,
    });
    // Minted while the engine makes the container.
    const token = deps.google.mintToken();
    token.catch(() => undefined);
    const envelope = async (): Promise<Envelope> =>
      envelopeFor(deps, attempt, limits, course, await orderCodeOfJob(deps.pool, jobId), await token);
    deps.launching.add(attempt.id);
    try {
      const launched = await launch(deps, { lease, attempt, spec, envelope });
      if (launched.ended !== 'not_started') return;
      await settleAttempt(deps, lease, neverRan({ outcome: 'start_failed', detail: launched.detail }));
      await deps.engine.remove(spec.name);
    } catch (error) {
      deps.log.error({ err: error, job: jobId, attempt: attempt.id }, 'attempt could not start');
      await settleAttempt(deps, lease, neverRan(failureOf(error)));
      await deps.engine.remove(spec.name);
    } finally {
      deps.launching.delete(attempt.id);
      deps.onChange();
    }
  };
