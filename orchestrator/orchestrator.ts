/** Composes the orchestrator from its parts; see ARCHITECTURE.md for how they meet. */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { releaseLeases } from '../sql/attempts.ts';
import { registerEngine } from '../sql/engines.ts';
import { makePool } from '../sql/pool.ts';
import { secondsFromPaidToRunning } from '../sql/jobs.ts';
import type { Config } from './config.ts';
import { makeDockerEngine } from './engine/docker.ts';
import { EngineError } from './engine/engine.ts';
import { makeFollowing } from './following.ts';
import { makeGoogle } from './google.ts';
import { startHealthServer } from './health.ts';
import { listenForJobs } from './listen.ts';
import { makeMailer } from './mail.ts';
import { makeMetrics } from './metrics.ts';
import { selfTest } from './self-test.ts';
import { startReconcile, type Reconcile } from './reconcile.ts';
import { makeEnrolTask } from './tasks/enrol.ts';
import { makeGrantAccessTask } from './tasks/grant-access.ts';
import { makeSendMailTask } from './tasks/send-mail.ts';
import { makeStartAttemptTask } from './tasks/start-attempt.ts';
import { startWorker } from './worker.ts';

/** Two are pinned by graphile-worker, the rest serve tasks, observers and reconcile. */
const POOL_SPARE_CONNECTIONS = 6;

const answers = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

export type Orchestrator = {
  url: string;
  /** Rejects when the task queue ends by itself, which only a restart mends. */
  failed: Promise<never>;
  /** Hands over: leases are let go, containers run on. */
  stop: () => Promise<void>;
};

export async function startOrchestrator(config: Config, log: Logger): Promise<Orchestrator> {
  const holder = `${config.engine.name}/${randomBytes(6).toString('hex')}`;
  const metrics = makeMetrics();
  const pool = makePool({
    connectionString: config.databaseUrl,
    applicationName: `lading orchestrator ${holder}`,
    max: config.taskConcurrency + POOL_SPARE_CONNECTIONS,
    onError: (error) => log.warn({ err: error }, 'idle database connection broke'),
  });
  const engine = makeDockerEngine(config.engine.dockerHost);
  await engine.ping();
  const image = await engine.imageId(config.jobImage);
  if (image === undefined) throw new EngineError('image_missing', `the engine has no image ${config.jobImage}`);
  await selfTest(engine, {
    installation: config.installation,
    engine: config.engine.name,
    profiles: config.profiles,
    image,
    egressDir: config.egressDir,
  });
  await registerEngine(pool, config.engine.name, config.engine.slots);

  let reconcile: Reconcile | undefined;
  const onChange = (): void => reconcile?.kick();
  const settling = {
    pool,
    log,
    retryBaseSeconds: config.retryBaseSeconds,
    onSettled: metrics.countOutcome.bind(metrics),
    onStaleWrite: () => metrics.staleWrites.inc(),
  };
  const following = makeFollowing({ ...settling, engine }, () => {
    metrics.following.set(following.count());
    onChange();
  });
  const launching = new Set<string>();
  const google = makeGoogle(config.google);
  const shared = {
    ...settling,
    engine,
    engineName: config.engine.name,
    installation: config.installation,
    holder,
    leaseSeconds: config.leaseSeconds,
    following,
    launching,
    onChange,
  };

  const tasks = {
    enrol: makeEnrolTask({ ...shared, providerTokens: config.providerTokens }),
    'start-attempt': makeStartAttemptTask({
      ...shared,
      profiles: config.profiles,
      image,
      egressDir: config.egressDir,
      egressKey: config.egressKey,
      masterKey: config.masterKey,
      google,
      googleApiUrl: config.google.apiUrl,
      driveParentFolderId: config.google.parentFolderId,
      providerTokens: config.providerTokens,
      extraCaPem: config.extraCaPem,
      onRunning: (attempt) => {
        metrics.attemptsStarted.inc();
        metrics.following.set(following.count());
        if (attempt.n > 1) return;
        secondsFromPaidToRunning(pool, attempt.id).then(
          (seconds) => seconds !== undefined && metrics.queueWait.observe(seconds),
          (error: unknown) => log.warn({ err: error }, 'queue wait not measured'),
        );
      },
    }),
    'grant-access': makeGrantAccessTask({ ...shared, google }),
    'send-mail': makeSendMailTask({
      ...shared,
      sendMail: makeMailer(config.mail.smtpUrl, config.mail.from, config.extraCaPem),
    }),
  };

  const worker = await startWorker(pool, tasks, config.taskConcurrency, log);
  reconcile = startReconcile({ ...shared, onAdopted: (count) => metrics.adopted.inc(count) });
  const listener = listenForJobs(config.databaseUrl, onChange, log);
  const health = await startHealthServer({
    ...config.http,
    registry: metrics.registry,
    ready: async () => ({ postgres: await answers(pool.query('SELECT 1')), engine: await answers(engine.ping()) }),
  });

  return {
    url: `http://${config.http.host}:${(health.address() as AddressInfo).port}`,
    failed: worker.promise.then(() => Promise.reject(new Error('the task queue ended'))),
    stop: async () => {
      await worker.stop();
      await listener.stop();
      await reconcile.stop();
      await following.stop();
      await releaseLeases(pool, holder);
      await new Promise((resolve) => health.close(resolve));
      await pool.end();
    },
  };
}
