import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Figures } from '../sql/figures.ts';
import { OUTCOMES, type Outcome, type Policy } from '../sql/outcomes.ts';

/** Why jobs die: of a step, of their budgets, or of what an attempt ended with. */
const DEAD_REASONS = [
  'attempts_exhausted',
  'infrastructure',
  'no_engine_fits',
  'course_misconfigured',
  'not_enrolled',
  'enrol_failed',
  'grant_failed',
  'grant_refused',
  'mail_failed',
  'mail_refused',
  ...Object.entries<Policy>(OUTCOMES)
    .filter(([, { charge, needsBiggerProfile }]) => charge === 'permanent' || needsBiggerProfile)
    .map(([outcome]) => outcome),
];

/** A job has ended: `completed`, or why it is dead. */
export type JobEnded = {
  result: string;
  /** It had more than one attempt. */
  retried: boolean;
  /** Of a completed one: from its payment to its mail. */
  secondsFromPaid?: number;
};

const LONG_BUCKETS_SECONDS = [1, 5, 15, 60, 300, 900, 1_800, 3_600, 4_200, 7_200, 14_400, 43_200];

/** The orchestrator's own figures. docs/metrics.md says what each means. */
export function makeMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  /** Counts from the last `reset`, and is 0 after `stop`. */
  const ageGauge = (name: string, help: string) => {
    let since: number | undefined;
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(since === undefined ? 0 : (performance.now() - since) / 1_000);
        },
      }),
    );
    return { reset: () => void (since = performance.now()), stop: () => void (since = undefined) };
  };
  const metrics = {
    registry,
    attemptsStarted: new Counter({
      name: 'tasks_started_total',
      help: 'Attempts whose container acknowledged its envelope',
      registers,
    }),
    attemptsCompleted: new Counter({
      name: 'tasks_completed_total',
      help: 'Attempts whose files were all delivered to Drive',
      registers,
    }),
    downloadSeconds: new Histogram({
      name: 'download_duration_seconds',
      help: 'From the acknowledged envelope to the end of the container, of attempts that delivered',
      buckets: LONG_BUCKETS_SECONDS,
      registers,
    }),
    jobsEnded: new Counter({
      name: 'jobs_ended_total',
      help: 'Jobs that ended: completed, or the reason why they are dead',
      labelNames: ['result', 'retried'] as const,
      registers,
    }),
    jobSeconds: new Histogram({
      name: 'job_duration_seconds',
      help: 'From paid to told by mail, of completed jobs',
      buckets: LONG_BUCKETS_SECONDS,
      registers,
    }),
    queueLength: new Gauge({
      name: 'queue_length',
      help: 'Jobs that wait for a slot (downloads), and those whose enrolment or delivery is on its way (steps)',
      labelNames: ['queue'] as const,
      registers,
    }),
    queueOldest: new Gauge({
      name: 'queue_oldest_seconds',
      help: 'How long the first of the jobs that wait for a slot has waited; 0 when none does',
      labelNames: ['queue'] as const,
      registers,
    }),
    jobsStuck: new Gauge({
      name: 'jobs_stuck',
      help: 'Steps due for ten minutes that nobody takes, and attempts five minutes beyond their deadline',
      registers,
    }),
    queuePaused: new Gauge({ name: 'queue_paused', help: '1 while operators let no attempt begin', registers }),
    unplaced: new Gauge({
      name: 'payments_unplaced',
      help: "Payments and events in the operator's inbox",
      registers,
    }),
    diskFree: new Gauge({
      name: 'engine_disk_free_bytes',
      help: 'Free bytes where the engine keeps its containers, at the last look',
      registers,
    }),
    diskFloor: new Gauge({
      name: 'engine_disk_floor_bytes',
      help: 'Below so many free bytes no attempt begins',
      registers,
    }),
    outcomes: new Counter<'outcome'>({
      name: 'attempt_outcomes_total',
      help: 'Settled attempts by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    queueWait: new Histogram({
      name: 'queue_wait_seconds',
      help: 'From paid to running, of first attempts',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600],
      registers,
    }),
    following: new Gauge({ name: 'containers_followed', help: 'Containers this orchestrator follows', registers }),
    adopted: new Counter({
      name: 'attempts_adopted_total',
      help: 'Attempts taken over from an orchestrator that went quiet',
      registers,
    }),
    adoption: new Histogram({
      name: 'adoption_seconds',
      help: "From the end of a lost orchestrator's lease to the adoption of its attempt",
      buckets: [0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    leaseAge: ageGauge(
      'lease_age_seconds',
      'Since the leases of this orchestrator were renewed; 0 while it holds none',
    ),
    listenAge: ageGauge('listen_age_seconds', 'How long the LISTEN connection has stood; 0 while it does not'),
    logLag: new Histogram({
      name: 'log_lag_seconds',
      help: 'From the last line of a stored piece of log to its being stored',
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
      registers,
    }),
    slots: new Gauge({ name: 'engine_slots', help: 'Attempts this engine may run at once', registers }),
    slotsFree: new Gauge({
      name: 'engine_slots_free',
      help: 'Attempts that could begin at the last look, as slots and the launch gate go',
      registers,
    }),
    staleWrites: new Counter({
      name: 'stale_writes_refused_total',
      help: 'Writes refused because the lease had passed on',
      registers,
    }),
    launchSeconds: new Histogram<'stage' | 'from'>({
      name: 'launch_stage_seconds',
      help: 'Stages of a launch: open (create, start, compare; or take a standby), hand_over (envelope to acknowledgement)',
      labelNames: ['stage', 'from'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    launches: new Counter<'from'>({
      name: 'launches_total',
      help: 'Containers that got their envelope, from a standby or cold',
      labelNames: ['from'],
      registers,
    }),
    standby: new Gauge({ name: 'standby_containers', help: 'Containers that wait for an envelope', registers }),
    quarantined: new Gauge({
      name: 'engine_quarantined',
      help: '1 while the engine does not answer this orchestrator',
      registers,
    }),
    clockSkew: new Gauge({
      name: 'clock_skew_seconds',
      help: "The database's clock minus this host's",
      registers,
    }),
    listenUp: new Gauge({ name: 'listen_connected', help: '1 while the LISTEN connection stands', registers }),
    reconcilePasses: new Counter({
      name: 'reconcile_passes_total',
      help: 'Reconcile passes; none while idle',
      registers,
    }),
    shopDeliveries: new Counter<'result'>({
      name: 'shop_deliveries_total',
      help: "Tries to tell the shop's own system: delivered, failed (tried again), dead (given up)",
      labelNames: ['result'],
      registers,
    }),
    shopDisabled: new Gauge({
      name: 'shop_endpoint_disabled',
      help: '1 once the shop answered 410 Gone to this orchestrator, until something is delivered again',
      registers,
    }),
    countOutcome(outcome: Outcome, runSeconds: number | null): void {
      this.outcomes.inc({ outcome });
      if (outcome !== 'succeeded') return;
      this.attemptsCompleted.inc();
      if (runSeconds !== null) this.downloadSeconds.observe(runSeconds);
    },
    countEnded({ result, retried, secondsFromPaid }: JobEnded): void {
      this.jobsEnded.inc({ result, retried: retried ? 'yes' : 'no' });
      if (secondsFromPaid !== undefined) this.jobSeconds.observe(secondsFromPaid);
    },
    show(seen: Figures): void {
      this.queueLength.set({ queue: 'downloads' }, seen.downloads);
      this.queueLength.set({ queue: 'steps' }, seen.steps);
      this.queueOldest.set({ queue: 'downloads' }, seen.oldest_seconds);
      this.jobsStuck.set(seen.stuck);
      this.queuePaused.set(seen.paused ? 1 : 0);
      this.unplaced.set(seen.unplaced);
    },
  };
  // A counter that first appears at 1 has not grown as far as Prometheus knows: whatever has an alert begins at 0.
  for (const result of ['completed', ...DEAD_REASONS])
    for (const retried of ['yes', 'no']) metrics.jobsEnded.inc({ result, retried }, 0);
  for (const result of ['delivered', 'failed', 'dead'] as const) metrics.shopDeliveries.inc({ result }, 0);
  metrics.outcomes.inc({ outcome: 'succeeded' }, 0);
  for (const from of ['cold', 'standby'] as const) {
    metrics.launches.inc({ from }, 0);
    for (const stage of ['open', 'hand_over']) metrics.launchSeconds.zero({ stage, from });
  }
  return metrics;
}
export type Metrics = ReturnType<typeof makeMetrics>;
