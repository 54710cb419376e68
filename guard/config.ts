import { dirname } from 'node:path';
import { z } from 'zod';
import { ConfigError, port, readEnvironment } from '../config/environment.ts';
import { SOCKET_PATH_MAX_BYTES } from '../net/listen-on-socket.ts';
import { makeProfiles, type Profiles } from '../orchestrator/profiles.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');
const environment = z.object({
  /** Where orchestrators find the guard. */
  GUARD_SOCKET: z
    .string()
    .startsWith('/')
    .refine((path) => Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES, 'longer than a socket path may be'),
  /** The engine's own socket. */
  DOCKER_HOST: z.url({ protocol: /^unix$/ }).default('unix:///var/run/docker.sock'),
  /** The same as the orchestrators': only their containers pass. */
  INSTALLATION: name,
  ENGINE_NAME: name,
  JOB_IMAGE: z.string().regex(/(^|@)sha256:[0-9a-f]{64}$/, 'an image id or a digest, never a tag'),
  EGRESS_DIR: z.string().startsWith('/'),
  PROFILES: z.string().default('{}'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port().default(0),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

function profilesOf(text: string): Profiles {
  try {
    return makeProfiles(JSON.parse(text));
  } catch (error) {
    throw new ConfigError(`PROFILES: ${error instanceof z.ZodError ? z.prettifyError(error) : 'is not JSON'}`);
  }
}

/** Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>>) {
  const read = readEnvironment(environment, env);
  return {
    folder: dirname(read.GUARD_SOCKET),
    socketPath: read.GUARD_SOCKET,
    enginePath: new URL(read.DOCKER_HOST).pathname,
    installation: read.INSTALLATION,
    engine: read.ENGINE_NAME,
    jobImage: read.JOB_IMAGE,
    egressDir: read.EGRESS_DIR,
    profiles: profilesOf(read.PROFILES),
    host: read.HOST,
    port: read.PORT,
    logLevel: read.LOG_LEVEL,
  };
}
export type Config = ReturnType<typeof readConfig>;
