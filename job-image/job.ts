/** From the envelope to the `end` message. Everything printed passes here, and through the masker. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import { EnvelopeError, readEnvelope, secretsOf, type Envelope } from './contract/envelope.ts';
import { EXIT_OF_REASON } from './contract/exit-codes.ts';
import { formatJobMessage, type JobMessage } from './contract/messages.ts';
import { JobEnd } from './ending.ts';
import { makeMasker } from './masker.ts';
import { REHEARSE_AFTER_MS, rehearse } from './rehearsal.ts';

/** From the first byte of the envelope to its last. Before the first there is no limit: a standby waits for long. */
const ENVELOPE_LIMIT_MS = 10_000;
/** From SIGTERM to the end, whatever is still going on. */
const STOP_GRACE_MS = 1_500;
const FLUSH_LIMIT_MS = 500;
const DETAIL_MAX_CHARS = 2_000;
export const ENVELOPE_FILE = 'envelope.json';

export type JobSurroundings = {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** What the `ready` message said; the envelope is sealed with it. */
  readonly nonce: string;
  readonly secretsDir: string;
  readonly egressSocket: string;
  /** Aborts on SIGTERM. */
  readonly stop: AbortSignal;
  /** Rejects with an error that nobody caught. */
  readonly crashed: Promise<never>;
};

type End = Extract<JobMessage, { lading: 'end' }>;

async function receive(stdin: Readable, nonce: string): Promise<Envelope> {
  let limit: NodeJS.Timeout | undefined;
  const rehearsal = setTimeout(() => void rehearse(nonce), REHEARSE_AFTER_MS);
  async function* limited(): AsyncGenerator<Buffer> {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      clearTimeout(rehearsal);
      limit ??= setTimeout(
        () => stdin.destroy(new EnvelopeError(`not complete after ${ENVELOPE_LIMIT_MS} ms`)),
        ENVELOPE_LIMIT_MS,
      );
      yield chunk;
    }
  }
  try {
    return await readEnvelope(limited(), nonce);
  } catch (error) {
    if (error instanceof EnvelopeError) throw new JobEnd('envelope_rejected', error.message, { cause: error });
    // The text of other errors may quote what was read.
    throw new JobEnd('envelope_rejected', 'the envelope cannot be read', { cause: error });
  } finally {
    clearTimeout(rehearsal);
    clearTimeout(limit);
  }
}

/** How the job ended, from what it threw. Being told to stop outranks whatever broke because of it. */
function endOf(error: unknown, isStopped: boolean, mask: (text: string) => string): End {
  const say = (text: string): string => mask(text).slice(0, DETAIL_MAX_CHARS).toWellFormed();
  if (isStopped) return { lading: 'end', reason: 'terminated', detail: 'stopped by SIGTERM' };
  if (error instanceof JobEnd) {
    const { reason, message, retryAfterSeconds } = error;
    return {
      lading: 'end',
      reason,
      detail: say(message),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    };
  }
  return {
    lading: 'end',
    reason: 'bug',
    detail: say(types.isNativeError(error) ? (error.stack ?? error.message) : String(error)),
  };
}

/** Runs one job and answers the exit code it ends with; the last line is on its way by then. Never rejects. */
export async function runJob(surroundings: JobSurroundings): Promise<number> {
  const { stdin, stdout, nonce, secretsDir, egressSocket, stop, crashed } = surroundings;
  // What still goes on when the job has ended, because something else broke, ends too.
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  let mask = makeMasker([]);
  const say = (message: JobMessage): void => void stdout.write(mask(formatJobMessage(message)));

  async function work(): Promise<End> {
    const envelope = await receive(stdin, nonce);
    const secrets = secretsOf(envelope);
    mask = makeMasker(secrets);
    const onSecret = (secret: string): void => {
      secrets.push(secret);
      mask = makeMasker(secrets);
    };
    // To memory, and sooner done than a thread is woken for it.
    writeFileSync(join(secretsDir, ENVELOPE_FILE), JSON.stringify(envelope), { mode: 0o600 });
    say({ lading: 'accepted', attemptId: envelope.attemptId });
    const { deliver } = await import('./deliver.ts');
    const { files, bytes } = await deliver(envelope, { egressSocket, say, onSecret, signal });
    return { lading: 'end', reason: 'ok', detail: `${files} files, ${bytes} bytes` };
  }

  const stopped = Promise.withResolvers<never>();
  const onStop = (): void => {
    stdin.destroy();
    setTimeout(() => stopped.reject(stop.reason), STOP_GRACE_MS);
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });

  let end: End;
  try {
    end = await Promise.race([work(), crashed, stopped.promise]);
  } catch (error) {
    end = endOf(error, stop.aborted, mask);
  }
  over.abort(new Error('the job has ended'));
  const flushed = new Promise<void>((resolve) => stdout.write(mask(formatJobMessage(end)), () => resolve()));
  await Promise.race([flushed, sleep(FLUSH_LIMIT_MS)]);
  return EXIT_OF_REASON[end.reason];
}
