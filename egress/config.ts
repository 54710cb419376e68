import { join } from 'node:path';
import { z } from 'zod';
import { base64Key, ConfigError, port, readEnvironment } from '../config/environment.ts';
import { EGRESS_DIR, EGRESS_SOCKET_NAME } from '../job-image/contract/paths.ts';
import { SOCKET_PATH_MAX_BYTES } from '../net/listen-on-socket.ts';
import { formatTarget, parseAllowed, parseTarget, type AllowList, type Target } from './target.ts';
import type { HostMap } from './resolve.ts';

const json = <S extends z.ZodType>(schema: S) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);

const target = (parse: (text: string) => Target | undefined) =>
  z.string().transform((text, context): Target => {
    const parsed = parse(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `${text} is not host:port` });
    return z.NEVER;
  });

const HOSTS_MAX = 256;
const environmentSchema = z.object({
  EGRESS_DIR: z.string().startsWith('/').default(EGRESS_DIR),
  EGRESS_ALLOW: json(z.record(z.string().min(1).max(64), z.array(target(parseAllowed)).max(HOSTS_MAX))),
  EGRESS_HOST_MAP: json(z.record(z.string(), target(parseTarget))).default({}),
  EGRESS_KEY: base64Key(32),
  EGRESS_API_URL: z.url({ protocol: /^https?$/ }),
  HOST: z.string().default('127.0.0.1'),
  PORT: port().default(0),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export type EgressConfig = {
  readonly folder: string;
  readonly socketPath: string;
  /** By profile. */
  readonly allow: ReadonlyMap<string, AllowList>;
  readonly hostMap: HostMap;
  readonly key: Buffer;
  /** Without a trailing slash. */
  readonly apiUrl: string;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
};

/** Throws ConfigError. */
export function readEgressConfig(env: Readonly<Record<string, string | undefined>>): EgressConfig {
  const read = readEnvironment(environmentSchema, env);
  const socketPath = join(read.EGRESS_DIR, EGRESS_SOCKET_NAME);
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_MAX_BYTES)
    throw new ConfigError(
      `EGRESS_DIR: ${socketPath} is longer than the ${SOCKET_PATH_MAX_BYTES} bytes of a socket path`,
    );
  const hostMap = Object.entries(read.EGRESS_HOST_MAP).map(([name, to]): [string, Target] => {
    const from = parseTarget(name);
    if (from === undefined) throw new ConfigError(`EGRESS_HOST_MAP: ${name} is not host:port`);
    return [formatTarget(from), to];
  });
  return {
    folder: read.EGRESS_DIR,
    socketPath,
    allow: new Map(Object.entries(read.EGRESS_ALLOW)),
    hostMap: new Map(hostMap),
    key: read.EGRESS_KEY,
    apiUrl: read.EGRESS_API_URL.replace(/\/+$/, ''),
    host: read.HOST,
    port: read.PORT,
    logLevel: read.LOG_LEVEL,
  };
}
