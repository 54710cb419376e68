/** The API process: `node api/main.ts [--check]`. */
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { ConfigError } from '../config/environment.ts';
import { masterKeysOf, parseMasterKeys } from '../keys/master-keys.ts';
import { makeSecretAges } from '../keys/secret-ages.ts';
import { watchSecrets } from '../keys/watch-secrets.ts';
import { makePool } from '../sql/pool.ts';
import { hear } from '../sql/hear.ts';
import { makeApp } from './app.ts';
import { readConfig, type Config } from './config.ts';
import { makeMetrics } from './metrics.ts';
import { startReconciling } from './payments/reconcile.ts';
import { FOLLOWERS_OF_LOG_MAX, makeNews } from './news.ts';
import { parseSepaySecrets, sepayAuthOf } from './payments/sepay-secrets.ts';
import { makeKeysInUse } from './operators/keys-in-use.ts';
import { makeOperations } from './operations.ts';
import { listen } from './server.ts';
import { watchCertificate } from './watch-certificate.ts';

const POOL_MAX_CONNECTIONS = 10;
const POOL_END_LIMIT_MS = 500;
const EXIT_CONFIG = 78;

/** An error as it is logged. Postgres puts whole rows, e-mail addresses among them, into an error's `detail`. */
const describeError = (error: Error): object => {
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message, stack, ...('code' in error && { code: error.code }) };
};

const log = pino({ name: 'api', serializers: { err: describeError } });

async function run(config: Config): Promise<void> {
  log.level = config.logLevel;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const pool = makePool({
    connectionString: config.databaseUrl,
    applicationName: 'lading api',
    max: POOL_MAX_CONNECTIONS,
    pipeline: true,
    onError: (error) => log.warn({ err: error }, 'database connection lost'),
  });
  const onLost = (error: Error): void => log.warn({ err: error }, 'a connection that listens was lost');
  const news = makeNews(() => hear(config.databaseUrl, ['lading_orders']), { onLost });
  // Of a job too: an attempt without a log ends with its row, and settling it notifies of the job.
  const logNews = makeNews(() => hear(config.databaseUrl, ['lading_logs', 'lading_jobs']), {
    onLost,
    ofOneMax: FOLLOWERS_OF_LOG_MAX,
  });
  const metrics = makeMetrics(registry);
  const secrets = watchSecrets(log);
  const masterKeyLines = secrets.watch(config.masterKeys, parseMasterKeys);
  const sepayLines = secrets.watch(config.sepaySecrets, parseSepaySecrets);
  const ageOf = makeSecretAges(registry);
  ageOf('master', masterKeyLines.changedAt);
  ageOf('sepay', sepayLines.changedAt);
  const keysInUse = makeKeysInUse();
  ageOf('api_key', keysInUse.oldest);
  const app = makeApp({
    ...config,
    keysInUse,
    masterKeys: masterKeysOf(masterKeyLines.value),
    sepayAuth: sepayAuthOf(config.sepaySecrets.mode, sepayLines.value),
    pool,
    log,
    metrics,
    news,
    logNews,
  });
  const { sepayApi, reconcileSeconds: periodSeconds } = config;
  const ownAccountNumber = config.desk.bank.accountNumber;
  const reconciling =
    sepayApi && startReconciling({ pool, log, metrics, sepayApi, ownAccountNumber, periodSeconds }, news);
  const certificate = config.tls && watchCertificate(config.tls, log);
  const server = await listen(app.callback(), {
    ...config.listen,
    certificate: certificate?.value(),
    isBehindProxy: config.trustedProxies > 0,
  });
  certificate?.onRenewed(server.renew);
  const operations = await listen(makeOperations({ pool, log, registry }).callback(), config.listenForOperations);
  log.info({ url: server.url, operationsUrl: operations.url }, 'listening');

  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'stopping');
    secrets.stop();
    certificate?.stop();
    await reconciling?.stop();
    await Promise.all([news.stop(), logNews.stop()]);
    await Promise.all([server.stop(), operations.stop()]);
    // A query that hangs would hold the pool open; the connection ends with the process anyway.
    const giveUp = setTimeout(() => process.exit(0), POOL_END_LIMIT_MS);
    await pool.end();
    clearTimeout(giveUp);
    process.exit(0);
  };
  process.on('SIGHUP', () => {
    secrets.look();
    certificate?.look();
  });
  process.once('SIGTERM', (signal) => void stop(signal)).once('SIGINT', (signal) => void stop(signal));
}

try {
  const config = readConfig(process.env);
  if (process.argv.includes('--check')) log.info('ok');
  else await run(config);
} catch (error) {
  const isConfig = error instanceof ConfigError;
  log.fatal(isConfig ? { problem: error.message } : { err: error }, 'not started');
  process.exit(isConfig ? EXIT_CONFIG : 1);
}
