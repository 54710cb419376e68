/**
 * The upload sessions of a job's large files, kept outside so that the next attempt can go on with them. They leave the
 * container sealed, by signed calls: at once where a session was opened, many in one call; what only tells how far it is
 * waits for the next call or the clock.
 */
import { openSession, sealSession, type KeptSession } from './contract/sealed-session.ts';
import {
  progressAnswerSchema,
  progressCallId,
  progressPath,
  PROGRESS_CALL_MAX_BYTES,
  PROGRESS_CALLS_MAX,
  SESSIONS_MAX,
  type ProgressCall,
} from './contract/signed-call.ts';
import { JobEnd } from './ending.ts';
import { FINALIZE_RETRY } from './finalize.ts';
import { dropBody, readBody, type Response } from './http-call.ts';
import { isApiAway, postSigned, type ApiDoor } from './post-signed.ts';
import { parseRetryAfter } from './contract/retry-after.ts';
import { AWAY_MAX_MS, type RetryLimits, type Tried } from './retry.ts';

export const TELL_EVERY_MS = 30_000;
/** An API that is away for longer holds up no upload: what is not kept is only sent again, should the container die. */
export const KEPT_WAIT_MS = 2_000;

export type SessionLedger = {
  /** What earlier attempts of this job have kept, by path. Throws JobEnd. */
  recall: () => Promise<ReadonlyMap<string, KeptSession>>;
  /** Resolves once the session is safe, or after KEPT_WAIT_MS, and goes on trying then. Never rejects. */
  keep: (path: string, session: KeptSession) => Promise<void>;
  /** How much of a kept one Drive has; told sometime. */
  confirmed: (path: string, bytes: number) => void;
  /** Told sometime: a session that nobody needs any more does no harm. */
  forget: (path: string) => void;
  /** Tells nothing more by the clock. */
  close: () => void;
};

async function readAnswer(response: Response): Promise<Tried<Buffer>> {
  const { statusCode: status } = response;
  if (status === 200) {
    const body = await readBody(response, PROGRESS_CALL_MAX_BYTES).catch(() => undefined);
    return body === undefined ? { again: 'progress: the answer broke off' } : { done: body };
  }
  dropBody(response);
  const again = {
    again: `progress: answered ${status}`,
    retryAfterSeconds: parseRetryAfter(response.headers['retry-after'], Date.now()),
    ...(isApiAway(status) ? { isOursAway: true as const } : {}),
  };
  if (status >= 500 || status === 408 || status === 429) return again;
  // Another attempt is the current one, or what we say is not understood: nobody will take a manifest either.
  throw new JobEnd('finalize_refused', again.again);
}

/** `close` it before the job hands its files over: the calls' order is then of no matter. */
export function makeSessionLedger(
  door: ApiDoor,
  options: {
    readonly attemptId: string;
    readonly resumeKey: string;
    readonly retry?: RetryLimits;
    readonly awayMaxMs?: number;
    readonly tellEveryMs?: number;
    readonly keptWaitMs?: number;
    /** Nobody will take a manifest of this attempt: it is not the current one, or not understood. */
    readonly onRefused: (end: JobEnd) => void;
  },
  signal: AbortSignal,
): SessionLedger {
  const { attemptId, resumeKey, retry = FINALIZE_RETRY, awayMaxMs = AWAY_MAX_MS } = options;
  const { tellEveryMs = TELL_EVERY_MS, keptWaitMs = KEPT_WAIT_MS, onRefused } = options;
  const keep = new Map<string, ProgressCall['keep'][number]>();
  const confirmed = new Map<string, number>();
  const forget = new Set<string>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let n = 0;

  function take<K, V, T>(from: Map<K, V>, write: (key: K, value: V) => T): T[] {
    const taken = [...from].slice(0, SESSIONS_MAX);
    for (const [key] of taken) from.delete(key);
    return taken.map(([key, value]) => write(key, value));
  }

  async function post(told: Pick<ProgressCall, 'keep' | 'confirmed' | 'forget' | 'recall'>): Promise<Buffer> {
    n += 1;
    if (n > PROGRESS_CALLS_MAX) throw new RangeError(`more than ${PROGRESS_CALLS_MAX} progress calls`);
    const body: ProgressCall = { type: 'attempt.progress', attemptId, n, ...told };
    return await postSigned(
      door,
      {
        id: progressCallId(attemptId, n),
        path: progressPath(attemptId),
        body,
        what: 'progress',
        retry,
        awayMaxMs,
        read: readAnswer,
        exhausted: ({ again, retryAfterSeconds }) => new JobEnd('api_unavailable', again, { retryAfterSeconds }),
      },
      signal,
    );
  }

  async function tellNow(): Promise<void> {
    waiting = undefined;
    clearTimeout(timer);
    timer = undefined;
    if (isClosed) return;
    const forgotten = [...forget].slice(0, SESSIONS_MAX);
    for (const path of forgotten) forget.delete(path);
    const kept = take(keep, (_path, session) => session);
    try {
      await post({
        keep: kept,
        confirmed: take(confirmed, (path, bytes) => ({ path, bytes })),
        forget: forgotten,
        recall: false,
      });
    } catch (error) {
      if (isClosed) return;
      if (error instanceof JobEnd && error.reason === 'finalize_refused') onRefused(error);
      // How far a file is a later attempt hears from Drive itself; which session it was in, from nobody else.
      for (const session of kept)
        if (!keep.has(session.path) && !forget.has(session.path)) keep.set(session.path, session);
      if (keep.size > 0) tellSometime();
    }
  }
  /** One call at a time; what is wished while one is under way goes together with the next. */
  function tell(): Promise<void> {
    waiting ??= last.then(tellNow);
    last = waiting;
    return waiting;
  }
  const tellSometime = (): void => {
    if (isClosed || signal.aborted) return;
    timer ??= setTimeout(() => void tell(), tellEveryMs).unref();
  };

  return {
    recall: async () => {
      const body = await post({ keep: [], confirmed: [], forget: [], recall: true });
      const answer = progressAnswerSchema.safeParse(JSON.parse(body.toString('utf8')));
      if (!answer.success) throw new JobEnd('api_unavailable', 'progress: the answer is not what it should be');
      const sessions = new Map<string, KeptSession>();
      for (const { path, sealed } of answer.data.sessions) {
        const session = openSession(resumeKey, path, Buffer.from(sealed, 'base64'));
        if (session !== undefined) sessions.set(path, session);
      }
      return sessions;
    },
    keep: async (path, session) => {
      const sealed = sealSession(resumeKey, path, session).toString('base64');
      forget.delete(path);
      confirmed.delete(path);
      keep.set(path, { path, ...('bytes' in session && { bytes: session.bytes }), sealed });
      const limit = Promise.withResolvers<void>();
      const waited = setTimeout(limit.resolve, keptWaitMs);
      await Promise.race([tell(), limit.promise]);
      clearTimeout(waited);
    },
    confirmed: (path, bytes) => {
      confirmed.set(path, bytes);
      tellSometime();
    },
    forget: (path) => {
      keep.delete(path);
      confirmed.delete(path);
      forget.add(path);
      tellSometime();
    },
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
