import { z } from 'zod';
import { base64Key, ConfigError, fileOf, port, readBy, readEnvironment } from '../config/environment.ts';
import { mayCall, sandboxOrigins } from '../config/sandbox-origins.ts';
import { parseMasterKeys } from '../keys/master-keys.ts';
import { parseSepaySecrets } from './payments/sepay-secrets.ts';
import { allowSenders } from './payments/senders.ts';
import type { SepayApi } from './payments/sepay-list.ts';

const KEY_MIN_BYTES = 32;
const TOKEN_MIN_CHARS = 16;
const WEEK_MINUTES = 7 * 24 * 60;

const schema = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port(),
  /** Where /readyz and /metrics are asked: not for customers. */
  OPERATIONS_HOST: z.string().min(1).default('127.0.0.1'),
  OPERATIONS_PORT: port().default(9_464),
  /** How customers reach this API; base of the links in its answers. */
  PUBLIC_URL: z.url({ protocol: /^https?$/ }),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  ORDER_TOKEN_KEY: base64Key(KEY_MIN_BYTES),
  /** One a line, while it is rotated: keys/secret-lines.ts. */
  MASTER_KEY: readBy(parseMasterKeys),
  /** HMAC mode: one secret a line, the current one first, the previous one while it is being replaced. */
  SEPAY_WEBHOOK_SECRETS: readBy(parseSepaySecrets).optional(),
  /** API key mode, instead. */
  SEPAY_API_KEY: readBy(parseSepaySecrets).optional(),
  /** Addresses and networks SePay's webhooks may come from, separated by commas; empty: any. */
  SEPAY_SENDERS: z
    .string()
    .optional()
    .transform((list, context) => {
      const senders = list?.split(',').flatMap((entry) => entry.trim() || []) ?? [];
      const check = senders.length === 0 ? undefined : allowSenders(senders);
      if (senders.length > 0 && !check)
        context.addIssue({
          code: 'custom',
          message: 'needs addresses such as 192.0.2.7 or networks such as 192.0.2.0/24',
        });
      return check;
    }),
  /** SePay's list is read where a token for it is given. */
  SEPAY_API_TOKEN: z.string().min(TOKEN_MIN_CHARS).regex(/^\S+$/, 'holds white space').optional(),
  SEPAY_API_URL: z.url({ protocol: /^https?$/ }).default('https://userapi.sepay.vn'),
  /** Stand-ins of the outside, which may be plain HTTP. Empty in production. */
  SANDBOX_ORIGINS: sandboxOrigins(),
  RECONCILE_SECONDS: z.coerce.number().pipe(z.int().min(1).max(3_600)).default(300),
  BANK_BIN: z.string().regex(/^\d{6}$/, 'needs six digits'),
  BANK_ACCOUNT_NUMBER: z.string().regex(/^[A-Za-z0-9]{1,19}$/, 'needs 1 to 19 letters and digits'),
  BANK_ACCOUNT_NAME: z.string().min(1).max(100),
  /** Where customers find help; shown on their order's page. */
  CONTACT_EMAIL: z.email().max(254).optional(),
  ORDER_TTL_MINUTES: z.coerce.number().pipe(z.int().min(1).max(WEEK_MINUTES)).default(60),
  /** Orders a minute from one address. */
  ORDERS_PER_MINUTE: z.coerce.number().pipe(z.int().min(1).max(100_000)).default(30),
  ORDERS_PER_EMAIL_PER_HOUR: z.coerce.number().pipe(z.int().min(1).max(100_000)).default(20),
  /** How many reverse proxies of ours stand in front; their X-Forwarded-For is believed. */
  TRUSTED_PROXIES: z.coerce.number().pipe(z.int().min(0).max(5)).default(0),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

type Secrets = ReturnType<typeof parseSepaySecrets>;
type Environment = Readonly<Record<string, string | undefined>>;

function sepaySecrets(
  raw: { SEPAY_WEBHOOK_SECRETS?: Secrets | undefined; SEPAY_API_KEY?: Secrets | undefined },
  env: Environment,
) {
  const { SEPAY_WEBHOOK_SECRETS: hmac, SEPAY_API_KEY: keys } = raw;
  if (hmac !== undefined && keys === undefined)
    return { mode: 'hmac', initial: hmac, file: fileOf(env, 'SEPAY_WEBHOOK_SECRETS') } as const;
  if (keys !== undefined && hmac === undefined)
    return { mode: 'apikey', initial: keys, file: fileOf(env, 'SEPAY_API_KEY') } as const;
  throw new ConfigError('exactly one of SEPAY_WEBHOOK_SECRETS and SEPAY_API_KEY is needed');
}

function sepayApi(url: string, token: string | undefined, sandbox: ReadonlySet<string>): SepayApi | undefined {
  if (!mayCall(url, sandbox)) throw new ConfigError('SEPAY_API_URL: must be https');
  return token === undefined ? undefined : { url, token };
}

/** TLS_CERT_FILE and TLS_KEY_FILE, where this process ends TLS itself: PEM, read anew when they change. */
function tlsFiles(certFile: string | undefined, keyFile: string | undefined) {
  if (!certFile !== !keyFile) throw new ConfigError('TLS_CERT_FILE and TLS_KEY_FILE: both or none');
  return certFile && keyFile ? { certFile, keyFile } : undefined;
}

/** Throws ConfigError with a line for each variable that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>) {
  const raw = readEnvironment(schema, env);
  return {
    listen: { host: raw.HOST, port: raw.PORT },
    listenForOperations: { host: raw.OPERATIONS_HOST, port: raw.OPERATIONS_PORT },
    databaseUrl: raw.DATABASE_URL,
    logLevel: raw.LOG_LEVEL,
    desk: {
      bank: { bin: raw.BANK_BIN, accountNumber: raw.BANK_ACCOUNT_NUMBER, accountName: raw.BANK_ACCOUNT_NAME },
      publicUrl: raw.PUBLIC_URL.replace(/\/+$/, ''),
      tokenKey: raw.ORDER_TOKEN_KEY,
    },
    tls: tlsFiles(env['TLS_CERT_FILE'], env['TLS_KEY_FILE']),
    masterKeys: { initial: raw.MASTER_KEY, file: fileOf(env, 'MASTER_KEY') },
    sepaySecrets: sepaySecrets(raw, env),
    sepayApi: sepayApi(raw.SEPAY_API_URL, raw.SEPAY_API_TOKEN, raw.SANDBOX_ORIGINS),
    reconcileSeconds: raw.RECONCILE_SECONDS,
    isSepaySender: raw.SEPAY_SENDERS,
    contactEmail: raw.CONTACT_EMAIL,
    orderTtlMinutes: raw.ORDER_TTL_MINUTES,
    ordersPerMinute: raw.ORDERS_PER_MINUTE,
    ordersPerEmailPerHour: raw.ORDERS_PER_EMAIL_PER_HOUR,
    trustedProxies: raw.TRUSTED_PROXIES,
  };
}
export type Config = ReturnType<typeof readConfig>;
