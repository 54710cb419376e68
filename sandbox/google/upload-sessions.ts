import { randomBytes } from 'node:crypto';
import { readPut, type Progress } from './content-range.ts';
import type { ContentSink } from './content-sink.ts';
import { invalid } from './errors.ts';
import type { Content } from './tree.ts';

/** Google's own: a session URI is good for a week. */
const SESSION_MS = 7 * 86_400_000;
const SESSIONS_MAX = 10_000;

export type UploadSession = {
  id: string;
  startedMs: number;
  total: number | undefined;
  sink: ContentSink;
  /** Turns the content into the answer, once; throws GoogleError. */
  complete: (content: Content) => object;
  done: object | undefined;
  /** Ends when the PUT before this one has let go; `cut` makes it let go. */
  turn: Promise<void>;
  cut: () => void;
};

export type PutBody = {
  contentRange: string | undefined;
  contentLength: number | undefined;
  bytes: AsyncIterable<Buffer>;
  /** Breaks the connection that `bytes` come from. */
  cut: () => void;
  /** Keep at most so many bytes of this body. */
  atMost: number;
};
export type PutAnswer = { done: object } | { kept: number };

export type UploadSessions = {
  start: (session: Pick<UploadSession, 'total' | 'sink' | 'complete'>) => string;
  /** undefined: unknown, expired or cancelled. */
  get: (id: string) => UploadSession | undefined;
  remove: (session: UploadSession) => Promise<void>;
  clear: () => Promise<void>;
};

export function makeUploadSessions(nowMs: () => number = Date.now): UploadSessions {
  const sessions = new Map<string, UploadSession>();
  const remove = async (session: UploadSession): Promise<void> => {
    sessions.delete(session.id);
    session.cut();
    await session.turn;
    if (!session.done) await session.sink.discard();
  };
  return {
    start: (session) => {
      if (sessions.size >= SESSIONS_MAX) {
        const oldestDone = [...sessions.values()].find(({ done }) => done !== undefined);
        if (!oldestDone) throw invalid(`more than ${SESSIONS_MAX} open upload sessions`);
        sessions.delete(oldestDone.id);
      }
      const id = randomBytes(48).toString('base64url');
      const idle = { done: undefined, turn: Promise.resolve(), cut: () => undefined };
      sessions.set(id, { ...session, ...idle, id, startedMs: nowMs() });
      return id;
    },
    get: (id) => {
      const session = sessions.get(id);
      return session && nowMs() - session.startedMs < SESSION_MS ? session : undefined;
    },
    remove,
    clear: async () => {
      await Promise.all([...sessions.values()].map((session) => remove(session)));
    },
  };
}

const progressOf = ({ sink, total }: UploadSession): Progress => ({ received: sink.kept(), total });

async function finish(session: UploadSession): Promise<PutAnswer> {
  session.done = session.complete(await session.sink.finish());
  return { done: session.done };
}

async function takePut(session: UploadSession, body: PutBody): Promise<PutAnswer> {
  if (session.done) return { done: session.done };
  const put = readPut(body.contentRange, body.contentLength, progressOf(session));
  if (put.act === 'refuse') throw invalid(put.message, 'Content-Range');
  session.total = put.total;
  const { sink } = session;
  if (put.act === 'query') return sink.kept() === put.total ? await finish(session) : { kept: sink.kept() };

  // The client may send again what is already here; those bytes are skipped.
  let toSkip = sink.kept() - put.start;
  let room = body.atMost;
  let arrived = 0;
  let isShort = false;
  let isWhole = false;
  try {
    for await (const piece of body.bytes) {
      arrived += piece.length;
      if (put.length !== undefined && arrived > put.length) throw invalid('more bytes than Content-Range says');
      const skipped = Math.min(toSkip, piece.length);
      const fresh = piece.subarray(skipped, skipped + room);
      toSkip -= skipped;
      room -= fresh.length;
      isShort ||= skipped + fresh.length < piece.length;
      await sink.write(fresh);
    }
    isWhole = !isShort && (put.length === undefined || arrived === put.length);
  } finally {
    if (!isWhole || !put.isLast) sink.dropTail();
  }
  return isWhole && put.isLast ? await finish(session) : { kept: sink.kept() };
}

/**
 * Carries out one PUT. A new PUT to a session ends the one before it: a client that lost its connection comes back before
 * this side has noticed. Throws GoogleError 400 on a bad range, and what `body.bytes` throws when the connection breaks.
 */
export async function putToSession(session: UploadSession, body: PutBody): Promise<PutAnswer> {
  session.cut();
  const before = session.turn;
  const letGo = Promise.withResolvers<void>();
  session.turn = letGo.promise;
  session.cut = body.cut;
  await before;
  try {
    return await takePut(session, body);
  } finally {
    session.cut = () => undefined;
    letGo.resolve();
  }
}
