/**
 * A whole Lading on this host, each part a process of its own, against the stand-ins of this folder: what `script/demo`
 * shows and what the end-to-end tests break. The product's processes get their production code and other base URLs.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceRole } from '../sql/migrate.ts';
import { ensureServiceAccount } from './credentials.ts';
import { freePort } from './free-port.ts';
import { startPostgres } from './postgres.ts';
import { startProcess, type Started } from './process.ts';
import { removeContainers } from './remove-containers.ts';
import { makeDatabase } from './system-database.ts';
import { ensureTls } from './tls.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const SHARED_DRIVE_ID = '0ALadingSandboxDrive';
const BANK = { bin: '970422', accountNumber: '0123456789', accountName: 'LADING SANDBOX' };

export type SystemOptions = {
  installation: string;
  /** The job image's id. */
  jobImage: string;
  dockerHost: string;
  databaseUrl?: string | undefined;
  coursesDir?: string | undefined;
  orchestrators?: number;
  slots?: number;
  retryBaseMs?: number;
  leaseSeconds?: number;
  /** PROFILES of the orchestrator. */
  profiles?: Record<string, object>;
  /** Environment added to or replacing a process's own. */
  env?: Partial<Record<'api' | 'orchestrator' | 'egress' | 'guard' | 'provider' | 'google', Record<string, string>>>;
  onStarted?: (name: string) => void;
};

export type System = {
  runDir: string;
  apiUrl: string;
  providerUrl: string;
  googleUrl: string;
  sepayUrl: string;
  mailControlUrl: string;
  caPem: string;
  bank: typeof BANK;
  /** The database as one of Lading's roles. */
  databaseUrl: (role: ServiceRole) => string;
  egressDir: string;
  processes: Map<string, Started>;
  /** Starts one more orchestrator of the same engine, or one in place of one that ended. */
  startOrchestrator: (name: string, env?: Record<string, string>) => Promise<Started>;
  /** The API again, on the address it had, after it ended. */
  startApi: () => Promise<Started>;
  /** Egress again, on the socket it had, after it ended. */
  startEgress: () => Promise<Started>;
  /** The guard of the engine again, on the socket it had, after it ended. */
  startGuard: () => Promise<Started>;
  /**
   * Stops everything, newest first, and removes the run's folder or, with `keepLogs`, all of it but the logs. Throws when
   * a process did not end well.
   */
  stop: (options?: { keepLogs?: boolean }) => Promise<void>;
};

const hostOf = (url: string): string => new URL(url).host;

type Secrets = (name: string, value: string) => string;

function secretStore(dir: string): Secrets {
  mkdirSync(dir, { mode: 0o700 });
  return (name, value) => {
    const path = join(dir, name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  };
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const runDir = mkdtempSync(join(tmpdir(), 'lading-run-'));
  // Job containers reach the egress folder as another user.
  chmodSync(runDir, 0o711);
  const logsDir = join(runDir, 'logs');
  const egressDir = join(runDir, 'egress');
  mkdirSync(logsDir);
  mkdirSync(egressDir);
  const secret = secretStore(join(runDir, 'secrets'));
  const processes = new Map<string, Started>();
  // Also those whose name another one took since.
  const all: Started[] = [];
  const undo: (() => Promise<unknown>)[] = [];

  const start = async (name: string, script: string, env: Record<string, string>): Promise<Started> => {
    const started = await startProcess({
      name,
      script: join(root, script),
      env,
      logPath: join(logsDir, `${name}.log`),
    });
    processes.set(name, started);
    all.push(started);
    options.onStarted?.(name);
    return started;
  };

  async function stop({ keepLogs = false }: { keepLogs?: boolean } = {}): Promise<void> {
    // Jobs first lose their orchestrators, then everything those talk to.
    const order = all.toReversed();
    const end = (some: Started[]) =>
      Promise.all(some.map(async (one) => ({ name: one.name, ending: await one.stop() })));
    // An orchestrator that ends removes its standbys, through the guard.
    const isGuard = (one: Started): boolean => one.name === 'guard';
    const endings = [...(await end(order.filter((one) => !isGuard(one)))), ...(await end(order.filter(isGuard)))];
    const failed: unknown[] = [];
    for (const step of [() => removeContainers(options), ...undo.toReversed()])
      await step().catch((error: unknown) => failed.push(error));
    for (const name of readdirSync(runDir))
      if (!keepLogs || name !== basename(logsDir)) rmSync(join(runDir, name), { recursive: true, force: true });
    if (!keepLogs) rmSync(runDir, { recursive: true, force: true });
    const bad = endings.filter(({ ending }) => ending !== 0 && ending !== 'SIGKILL');
    if (bad.length > 0)
      failed.push(new Error(`ended badly: ${bad.map((one) => `${one.name} ${one.ending}`).join(', ')}`));
    if (failed.length > 0) throw new AggregateError(failed, failed.map(String).join('; '));
  }

  try {
    const server = await startPostgres(options.databaseUrl);
    undo.push(server.stop);
    const database = await makeDatabase(server, options.installation);
    undo.push(database.drop);
    options.onStarted?.('postgres');

    const tlsDir = join(runDir, 'tls');
    const { caPath } = await ensureTls(tlsDir, []);
    const caPem = readFileSync(caPath, 'utf8');
    const credentialsDir = join(runDir, 'credentials');
    const { path: serviceAccountPath } = await ensureServiceAccount(credentialsDir);
    const providerToken = `provider-${randomBytes(24).toString('base64url')}`;
    const smtpPassword = randomBytes(18).toString('base64url');
    const webhookSecret = `whsec_${randomBytes(24).toString('base64url')}`;
    const masterKey = secret('master_key', randomBytes(32).toString('base64'));
    const egressKey = secret('egress_key', randomBytes(32).toString('base64'));
    const webhookSecretPath = secret('sepay_webhook_secret', webhookSecret);
    const orderTokenKey = secret('order_token_key', randomBytes(32).toString('base64'));
    const apiDatabaseUrl = secret('api_database_url', database.urlFor('lading_api'));
    const orchestratorDatabaseUrl = secret('orchestrator_database_url', database.urlFor('lading_orchestrator'));

    const [google, provider, mail] = await Promise.all([
      start('sandbox-google', 'sandbox/google/main.ts', {
        SANDBOX_TLS_DIR: tlsDir,
        SANDBOX_CREDENTIALS_DIR: credentialsDir,
        SANDBOX_DATA_DIR: join(runDir, 'drive'),
        SANDBOX_SHARED_DRIVE_ID: SHARED_DRIVE_ID,
        ...options.env?.google,
      }),
      start('sandbox-provider', 'sandbox/provider/main.ts', {
        SANDBOX_TLS_DIR: tlsDir,
        SANDBOX_PROVIDER_TOKEN_FILE: secret('provider_token', providerToken),
        ...(options.coursesDir === undefined ? {} : { SANDBOX_COURSES_DIR: options.coursesDir }),
        ...options.env?.provider,
      }),
      start('sandbox-mail', 'sandbox/mail/main.ts', {
        SANDBOX_TLS_DIR: tlsDir,
        SANDBOX_SMTP_USER: 'lading',
        SANDBOX_SMTP_PASSWORD_FILE: secret('smtp_password', smtpPassword),
      }),
    ]);
    const googleUrl = google.listening['url'] ?? '';
    const providerUrl = provider.listening['url'] ?? '';
    const smtpUrl = new URL(mail.listening['url'] ?? '');
    smtpUrl.username = 'lading';
    smtpUrl.password = smtpPassword;

    const apiPort = await freePort();
    const apiUrl = `http://localhost:${apiPort}`;
    const startApi = (): Promise<Started> =>
      start('api', 'api/main.ts', {
        PORT: String(apiPort),
        OPERATIONS_PORT: '0',
        PUBLIC_URL: apiUrl,
        DATABASE_URL_FILE: apiDatabaseUrl,
        ORDER_TOKEN_KEY_FILE: orderTokenKey,
        MASTER_KEY_FILE: masterKey,
        SEPAY_WEBHOOK_SECRETS_FILE: webhookSecretPath,
        BANK_BIN: BANK.bin,
        BANK_ACCOUNT_NUMBER: BANK.accountNumber,
        BANK_ACCOUNT_NAME: BANK.accountName,
        REQUESTS_PER_MINUTE: '1000000',
        ORDERS_PER_MINUTE: '100000',
        ORDERS_PER_EMAIL_PER_HOUR: '100000',
        ...options.env?.api,
      });
    await startApi();

    const targets = [hostOf(googleUrl), hostOf(providerUrl)];
    const startEgress = (): Promise<Started> =>
      start('egress', 'egress/main.ts', {
        PORT: '0',
        EGRESS_DIR: egressDir,
        EGRESS_KEY_FILE: egressKey,
        EGRESS_API_URL: apiUrl,
        EGRESS_ALLOW: JSON.stringify(
          Object.fromEntries(['standard', ...Object.keys(options.profiles ?? {})].map((name) => [name, targets])),
        ),
        EGRESS_HOST_MAP: JSON.stringify(
          Object.fromEntries(targets.map((host) => [host, host.replace('localhost', '127.0.0.1')])),
        ),
        ...options.env?.egress,
      });
    // Jobs are what these say in both: the guard lets no other container through.
    const containers = {
      INSTALLATION: options.installation,
      ENGINE_NAME: 'local',
      JOB_IMAGE: options.jobImage,
      EGRESS_DIR: egressDir,
      PROFILES: JSON.stringify(options.profiles ?? {}),
    };
    const guardSocket = join(runDir, 'guard', 'docker.sock');
    const startGuard = (): Promise<Started> =>
      start('guard', 'guard/main.ts', {
        ...containers,
        GUARD_SOCKET: guardSocket,
        DOCKER_HOST: options.dockerHost,
        ...options.env?.guard,
      });
    const [sepay] = await Promise.all([
      start('sandbox-sepay', 'sandbox/sepay/main.ts', {
        SANDBOX_WEBHOOK_URL: `${apiUrl}/webhooks/sepay`,
        SANDBOX_WEBHOOK_SECRET_FILE: webhookSecretPath,
      }),
      startEgress(),
      startGuard(),
    ]);

    const startOrchestrator = (name: string, env: Record<string, string> = {}): Promise<Started> =>
      start(name, 'orchestrator/main.ts', {
        // As in compose.yml: what floods its logs makes short-lived objects, which V8 would give 128 MB.
        NODE_OPTIONS: '--max-semi-space-size=8',
        DATABASE_URL_FILE: orchestratorDatabaseUrl,
        ...containers,
        ENGINE_SLOTS: String(options.slots ?? 4),
        DOCKER_HOST: `unix://${guardSocket}`,
        EGRESS_KEY_FILE: egressKey,
        MASTER_KEY_FILE: masterKey,
        GOOGLE_API_URL: googleUrl,
        GOOGLE_OAUTH_URL: googleUrl,
        GOOGLE_SERVICE_ACCOUNT_FILE: serviceAccountPath,
        DRIVE_PARENT_FOLDER_ID: SHARED_DRIVE_ID,
        PROVIDER_TOKENS_FILE: secret('provider_tokens', JSON.stringify({ sandbox: providerToken })),
        SMTP_URL_FILE: secret('smtp_url', smtpUrl.href),
        MAIL_FROM: 'Lading <noreply@lading.example>',
        EXTRA_CA_FILE: caPath,
        NODE_EXTRA_CA_CERTS: caPath,
        RETRY_BASE_MS: String(options.retryBaseMs ?? 1_000),
        ...(options.leaseSeconds === undefined ? {} : { LEASE_SECONDS: String(options.leaseSeconds) }),
        ...options.env?.orchestrator,
        ...env,
      });
    const names = Array.from({ length: options.orchestrators ?? 1 }, (_, i) => `orchestrator-${i + 1}`);
    await Promise.all(names.map((name) => startOrchestrator(name)));

    return {
      runDir,
      apiUrl,
      providerUrl,
      googleUrl,
      sepayUrl: sepay.listening['url'] ?? '',
      mailControlUrl: mail.listening['controlUrl'] ?? '',
      caPem,
      bank: BANK,
      databaseUrl: database.urlFor,
      egressDir,
      processes,
      startOrchestrator,
      startApi,
      startEgress,
      startGuard,
      stop,
    };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}
