/** Composes the orchestrator from its parts; see ARCHITECTURE.md for how they meet. */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { releaseLeases } from '../sql/leases.ts';
import { databaseNowMs } from '../sql/clock.ts';
import { findSamples, storeSamples } from '../sql/samples.ts';
import type { Config } from './config.ts';
import { reproducibleSecrets } from './envelope-for.ts';
import { makeFollowing } from './following.ts';
import { makeGiveToken } from './give-token.ts';
import { makeGoogle } from './google.ts';
import { startHealthServer } from './health.ts';
import { listenForJobs } from './listen.ts';
import { makeMailer } from './mail.ts';
import { makeMetrics } from './metrics.ts';
import { openPool } from './open-pool.ts';
import { openOwnEngine } from './own-engine.ts';
import { watchOwnSecrets } from './own-secrets.ts';
import { startReconcile, type Reconcile } from './reconcile.ts';
import { startSampler } from './samples/sampler.ts';
import { sweep } from './sweep.ts';
import { makePost } from './shop/post.ts';
import { startOutbox } from './shop/outbox.ts';
import { startStandby } from './standby.ts';
import { makeStarter, type Starter } from './starter.ts';
import { makeEnrolTask } from './tasks/enrol.ts';
import { makeGrantAccessTask } from './tasks/grant-access.ts';
import { makeSendMailTask } from './tasks/send-mail.ts';
import { makeStartNext } from './tasks/start-attempt.ts';
import { stockTokens } from './token-stock.ts';
import { startWorker } from './worker.ts';

const STANDBY_PROFILE = 'standard';
/** A hand-over takes less than five seconds, whatever does not answer. */
const TASKS_STOP_LIMIT_MS = 2_000;
const STANDBY_STOP_LIMIT_MS = 3_000;
const SWEEP_STOP_LIMIT_MS = 1_000;
const FOLLOWING_STOP_LIMIT_MS = 1_000;
const STANDBY_WAIT_LIMIT_MS = 10_000;

/** Waits for `work`, and no longer than `limitMs`. */
async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  work.catch(() => undefined);
  await Promise.race([work, sleep(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  limit.abort();
}

export type Orchestrator = {
  url: string;
  /** Its name in leases and in Postgres' list of connections. */
  holder: string;
  /** Rejects when the task queue ends by itself, which only a restart mends. */
  failed: Promise<never>;
  /** Looks now whether a secret's file has changed, which is else seen within a second. */
  readSecrets: () => void;
  /** Hands over: leases are let go, containers run on. */
  stop: () => Promise<void>;
};

const answers = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

export async function startOrchestrator(config: Config, log: Logger): Promise<Orchestrator> {
  const holder = `${config.engine.name}/${randomBytes(6).toString('hex')}`;
  const metrics = makeMetrics();
  const pool = openPool(config, holder, log);
  let reconcile: Reconcile | undefined;
  const onChange = (): void => reconcile?.kick();
  const onNotBegun = (error: unknown): void => log.warn({ err: error }, 'next attempt not begun');
  let starter: Starter | undefined;
  /** A job waits for a slot, or a slot or a place at the launch gate is free. What is missed here, reconcile queues. */
  const startNext = (): void => {
    starter?.start().catch(onNotBegun);
  };

  const { engine, image, diskFreeBytes } = await openOwnEngine(config, { pool, log, metrics, onChange });
  let skewMs = 0;
  const measureSkew = async (): Promise<void> => {
    skewMs = (await databaseNowMs(pool)) - Date.now();
    metrics.clockSkew.set(skewMs / 1000);
  };
  await measureSkew();
  const settling = {
    pool,
    log,
    retryBaseSeconds: config.retryBaseSeconds,
    profiles: config.profiles,
    onSettled: metrics.countOutcome.bind(metrics),
    onJobEnded: metrics.countEnded.bind(metrics),
    onStaleWrite: () => metrics.staleWrites.inc(),
    onLogStored: (lagSeconds: number) => metrics.logLag.observe(lagSeconds),
  };
  const sampler = startSampler({
    log,
    everyMs: config.sampleSeconds * 1_000,
    usage: engine.usage,
    isSilent: engine.isSilent,
    stored: (attemptId) => findSamples(pool, attemptId),
    store: (samples) => storeSamples(pool, samples),
  });
  const following = makeFollowing({ ...settling, engine, watchUsage: sampler.watch }, () => {
    metrics.following.set(following.count());
    startNext();
    onChange();
  });
  const launching = new Set<string>();
  const secrets = watchOwnSecrets(config, log, metrics);
  const { masterKeys } = secrets;
  const google = makeGoogle({
    ...config.google,
    accounts: secrets.accounts,
    nowSeconds: () => (Date.now() + skewMs) / 1000,
  });
  const tokens = stockTokens(google.mintToken, config.standby);
  const shared = {
    ...settling,
    engine,
    engineName: config.engine.name,
    installation: config.installation,
    holder,
    leaseSeconds: config.leaseSeconds,
    image,
    egressDir: config.egressDir,
    providerTokens: config.providerTokens,
    following,
    launching,
    onChange,
  };
  const standard = config.profiles.get(STANDBY_PROFILE);
  if (!standard) throw new Error(`no profile ${STANDBY_PROFILE}`);
  const standby = startStandby({
    ...shared,
    size: config.standby,
    profile: STANDBY_PROFILE,
    limits: standard,
    onChange: (size) => metrics.standby.set(size),
  });

  const startOne = makeStartNext({
    ...shared,
    standby,
    egressKey: config.egressKey,
    masterKeys,
    googleApiUrl: config.google.apiUrl,
    driveParentFolderId: config.google.parentFolderId,
    extraCaPem: config.extraCaPem,
    takeToken: tokens.take,
    onStage: (stage, from, seconds) => metrics.launchSeconds.observe({ stage, from }, seconds),
    onRunning: (attempt, from) => {
      metrics.attemptsStarted.inc();
      metrics.launches.inc({ from });
      metrics.following.set(following.count());
      if (attempt.n === 1) metrics.queueWait.observe(attempt.seconds_from_paid);
    },
  });
  starter = makeStarter(
    // Others may reach an engine that is silent to us; what we began there would only be lost.
    async () => !engine.isSilent() && (await startOne()),
    config.engine.launchesMax,
    onNotBegun,
  );
  const tasks = {
    enrol: makeEnrolTask({ ...shared, onEnrolled: startNext }),
    'start-attempt': starter.start,
    'grant-access': makeGrantAccessTask({
      ...shared,
      google,
      driveParentFolderId: config.google.parentFolderId,
    }),
    'send-mail': makeSendMailTask({
      ...shared,
      sendMail: makeMailer(config.mail.smtpUrl, config.mail.from, config.extraCaPem),
    }),
  };

  const worker = await startWorker(pool, tasks, config.taskConcurrency, log, onChange);
  reconcile = startReconcile({
    ...shared,
    isEngineSilent: engine.isSilent,
    secretsOf: (attempt) => reproducibleSecrets({ ...config, masterKeys }, attempt),
    diskFreeBytes,
    measureSkew,
    giveToken: makeGiveToken({ pool, log, masterKeys, mintToken: google.mintToken }),
    onAdopted: (orphanedSeconds) => {
      metrics.adopted.inc();
      metrics.adoption.observe(orphanedSeconds);
    },
    onRenewed: (held) => (held > 0 ? metrics.leaseAge.reset() : metrics.leaseAge.stop()),
    onSlots: (free) => metrics.slotsFree.set(free),
    onFigures: metrics.show.bind(metrics),
    onPass: () => {
      metrics.reconcilePasses.inc();
      metrics.following.set(following.count());
    },
  });
  const outbox = startOutbox({
    pool,
    log,
    masterKeys,
    post: makePost(config.sandboxOrigins),
    retryBaseSeconds: config.retryBaseSeconds,
    onTried: (result) => metrics.shopDeliveries.inc({ result }),
    onDisabled: (disabled) => metrics.shopDisabled.set(disabled ? 1 : 0),
    onSecret: secrets.noteShopSecret,
  });
  const listener = listenForJobs(
    config.databaseUrl,
    {
      moved: onChange,
      shop: outbox.kick,
      connected: (connected) => {
        metrics.listenUp.set(connected ? 1 : 0);
        if (connected) metrics.listenAge.reset();
        else metrics.listenAge.stop();
      },
    },
    log,
  );
  // Who is told that it listens may order at once and find a standby.
  await atMost(STANDBY_WAIT_LIMIT_MS, standby.filled);
  const health = await startHealthServer({
    ...config.http,
    registry: metrics.registry,
    ready: async () => ({ postgres: await answers(pool.query('SELECT 1')), engine: await answers(engine.ping()) }),
  });

  return {
    holder,
    url: `http://${config.http.host}:${(health.address() as AddressInfo).port}`,
    failed: worker.promise.then(() => Promise.reject(new Error('the task queue ended'))),
    readSecrets: secrets.look,
    stop: async () => {
      secrets.stop();
      // A task that waits for a silent engine is not waited for: its leases end, and others go on with it.
      await Promise.all([
        atMost(TASKS_STOP_LIMIT_MS, Promise.all([worker.stop(), starter.stop()])),
        atMost(STANDBY_STOP_LIMIT_MS, standby.stop()),
        // A shop that hangs is told again by another.
        atMost(TASKS_STOP_LIMIT_MS, outbox.stop()),
      ]);
      // A daemon or a database that hangs holds up none of it: what is written late is refused by the lease.
      await atMost(
        FOLLOWING_STOP_LIMIT_MS,
        Promise.all([listener.stop(), reconcile.stop(), following.stop(), sampler.stop()]),
      );
      tokens.stop();
      await releaseLeases(pool, holder);
      // What a sibling that was killed left behind would else stay until the next job.
      await atMost(SWEEP_STOP_LIMIT_MS, sweep(shared, { dryRun: false })).catch((error: unknown) =>
        log.warn({ err: error }, 'not swept'),
      );
      engine.stopWatching();
      await new Promise((resolve) => health.close(resolve));
      await pool.end();
    },
  };
}
