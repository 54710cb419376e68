/**
 * What runs in a job container. The order is part of the contract: first the self report, with nothing loaded but Node
 * itself, so that a container is ready early; then what reads the envelope; the rest when there is one, or when it is
 * long in coming.
 */
import { randomBytes } from 'node:crypto';
import { EGRESS_SOCKET, SECRETS_DIR } from './contract/paths.ts';
import { readSelfReport } from './self-report.ts';

const NONCE_BYTES = 24;
const EXIT_IO_ERROR = 74;

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')));
const crash = Promise.withResolvers<never>();
crash.promise.catch(() => undefined);
process.on('uncaughtException', crash.reject);
process.on('unhandledRejection', crash.reject);
// Nobody reads any more: there is nobody to tell either.
process.stdout.on('error', () => process.exit(EXIT_IO_ERROR));

const nonce = randomBytes(NONCE_BYTES).toString('base64url');
const self = await readSelfReport(SECRETS_DIR);
process.stdout.write(`${JSON.stringify({ lading: 'ready', nonce, self })}\n`);

const { runJob } = await import('./job.ts');
process.exit(
  await runJob({
    stdin: process.stdin,
    stdout: process.stdout,
    nonce,
    secretsDir: SECRETS_DIR,
    egressSocket: EGRESS_SOCKET,
    stop: stop.signal,
    crashed: crash.promise,
  }),
);
