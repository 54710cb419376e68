import { z } from 'zod';
import { base64Key, ConfigError, fileOf, port, readBy, readEnvironment } from '../config/environment.ts';
import { sandboxOrigins } from '../config/sandbox-origins.ts';
import { parseMasterKeys } from '../keys/master-keys.ts';
import { parseServiceAccounts } from './service-accounts.ts';
import { makeProfiles } from './profiles.ts';

const json = (text: string, context: z.RefinementCtx): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
};

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port().default(0),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  INSTALLATION: name,
  ENGINE_NAME: name,
  ENGINE_SLOTS: z.coerce.number().pipe(z.int().min(0).max(1000)),
  /** Launches at once on the engine; a daemon on two cores does not start more than four any faster. */
  ENGINE_LAUNCHES: z.coerce.number().pipe(z.int().min(1).max(100)).default(4),
  /** Memory for attempts on the engine; by default four fifths of what the engine has. */
  ENGINE_MEMORY_MIB: z.coerce.number().pipe(z.int().min(64)).optional(),
  /** Nothing is started while less than this is free at DISK_PATH. */
  DISK_FLOOR_MIB: z.coerce.number().pipe(z.int().min(0)).default(1024),
  DISK_PATH: z.string().startsWith('/').default('/'),
  /** Containers kept started ahead by this orchestrator. */
  STANDBY: z.coerce.number().pipe(z.int().min(0).max(50)).default(1),
  DOCKER_HOST: z.url({ protocol: /^(unix|tcp|http)$/ }).default('unix:///var/run/docker.sock'),
  JOB_IMAGE: z.string().regex(/(^|@)sha256:[0-9a-f]{64}$/, 'an image id or a digest, never a tag'),
  EGRESS_DIR: z.string().startsWith('/'),
  EGRESS_KEY: base64Key(32),
  /** One a line, while it is rotated: keys/secret-lines.ts. */
  MASTER_KEY: readBy(parseMasterKeys),
  GOOGLE_API_URL: z.url({ protocol: /^https$/ }).default('https://www.googleapis.com'),
  GOOGLE_OAUTH_URL: z.url({ protocol: /^https$/ }).default('https://oauth2.googleapis.com'),
  GOOGLE_SERVICE_ACCOUNT: readBy(parseServiceAccounts),
  DRIVE_PARENT_FOLDER_ID: z.string().min(1),
  PROVIDER_TOKENS: z
    .string()
    .default('{}')
    .transform(json)
    .pipe(z.record(z.string(), z.string().min(1))),
  SMTP_URL: z.url({ protocol: /^smtps?$/ }),
  MAIL_FROM: z.string().includes('@'),
  EXTRA_CA: z.string().includes('BEGIN CERTIFICATE').optional(),
  /** Stand-ins of the outside, which may be plain HTTP and in private space. Empty in production. */
  SANDBOX_ORIGINS: sandboxOrigins(),
  PROFILES: z.string().default('{}').transform(json),
  RETRY_BASE_MS: z.coerce.number().pipe(z.int().min(1).max(3_600_000)).default(30_000),
  LEASE_SECONDS: z.coerce.number().pipe(z.int().min(4).max(300)).default(8),
  /** Between two looks at the memory and processor time of what runs. */
  SAMPLE_SECONDS: z.coerce.number().pipe(z.int().min(1).max(300)).default(10),
  TASK_CONCURRENCY: z.coerce.number().pipe(z.int().min(1).max(64)).default(8),
});

const MIB = 1024 * 1024;
const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/** Parses the environment into the orchestrator's configuration. Throws ConfigError with one line for each problem. */
export function readConfig(env: Readonly<Record<string, string | undefined>>) {
  const values = readEnvironment(environment, env);
  let profiles;
  try {
    profiles = makeProfiles(values.PROFILES);
  } catch (error) {
    throw new ConfigError(`PROFILES: ${error instanceof z.ZodError ? z.prettifyError(error) : String(error)}`);
  }
  return {
    http: { host: values.HOST, port: values.PORT },
    logLevel: values.LOG_LEVEL,
    databaseUrl: values.DATABASE_URL,
    installation: values.INSTALLATION,
    engine: {
      name: values.ENGINE_NAME,
      slots: values.ENGINE_SLOTS,
      launchesMax: values.ENGINE_LAUNCHES,
      memoryBytes: values.ENGINE_MEMORY_MIB === undefined ? undefined : values.ENGINE_MEMORY_MIB * MIB,
      diskFloorBytes: values.DISK_FLOOR_MIB * MIB,
      diskPath: values.DISK_PATH,
      dockerHost: values.DOCKER_HOST,
    },
    standby: values.STANDBY,
    jobImage: values.JOB_IMAGE,
    egressDir: values.EGRESS_DIR,
    egressKey: values.EGRESS_KEY,
    masterKeys: { initial: values.MASTER_KEY, file: fileOf(env, 'MASTER_KEY') },
    google: {
      apiUrl: withoutSlash(values.GOOGLE_API_URL),
      oauthUrl: withoutSlash(values.GOOGLE_OAUTH_URL),
      accounts: { initial: values.GOOGLE_SERVICE_ACCOUNT, file: fileOf(env, 'GOOGLE_SERVICE_ACCOUNT') },
      parentFolderId: values.DRIVE_PARENT_FOLDER_ID,
    },
    providerTokens: new Map(Object.entries(values.PROVIDER_TOKENS)),
    mail: { smtpUrl: values.SMTP_URL, from: values.MAIL_FROM },
    extraCaPem: values.EXTRA_CA,
    sandboxOrigins: values.SANDBOX_ORIGINS,
    profiles,
    retryBaseSeconds: values.RETRY_BASE_MS / 1000,
    leaseSeconds: values.LEASE_SECONDS,
    sampleSeconds: values.SAMPLE_SECONDS,
    taskConcurrency: values.TASK_CONCURRENCY,
  };
}
export type Config = ReturnType<typeof readConfig>;
