/**
 * The talk over a fresh container's stdio: it says `ready` with a nonce and what it sees of itself, we compare, send
 * the envelope, and it says `accepted`. No secret leaves us before the comparison held.
 */
import type { Duplex } from 'node:stream';
import { encodeEnvelope, type Envelope } from '../job-image/contract/envelope.ts';
import { parseJobMessage, type JobMessage, type SelfReport } from '../job-image/contract/messages.ts';
import { demux } from './engine/demux.ts';

const HANDSHAKE_LIMIT_MS = 20_000;
/** What a container may say before it has its envelope. */
const PRELUDE_MAX_BYTES = 64 * 1024;

export type HandshakeResult =
  { ok: true } | { ok: false; reason: 'hardening_mismatch' | 'handshake_failed'; detail: string };

/** Job messages on stdout until the stream ends; everything else is left to the log. */
async function* messagesOf(stream: Duplex): AsyncGenerator<JobMessage> {
  let text = '';
  let bytes = 0;
  for await (const frame of demux(stream)) {
    bytes += frame.payload.length;
    if (bytes > PRELUDE_MAX_BYTES)
      throw new Error(`more than ${PRELUDE_MAX_BYTES} bytes before the envelope was accepted`);
    if (frame.stream === 'stderr') continue;
    text += frame.payload.toString('utf8');
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const message = parseJobMessage(line);
      if (message) yield message;
    }
  }
}

const failed = (detail: string): HandshakeResult => ({ ok: false, reason: 'handshake_failed', detail });

async function talk(
  stream: Duplex,
  envelope: () => Promise<Envelope>,
  mismatches: (self: SelfReport) => Promise<string[]>,
): Promise<HandshakeResult> {
  let sentFor: string | undefined;
  for await (const message of messagesOf(stream)) {
    if (message.lading === 'ready' && sentFor === undefined) {
      const wrong = await mismatches(message.self);
      if (wrong.length > 0) return { ok: false, reason: 'hardening_mismatch', detail: wrong.join('; ') };
      const content = await envelope();
      stream.write(encodeEnvelope(content, message.nonce));
      sentFor = content.attemptId;
    } else if (message.lading === 'accepted' && message.attemptId === sentFor) return { ok: true };
    else if (message.lading === 'end') return failed(`${message.reason}: ${message.detail}`);
  }
  return failed('the container ended before it accepted its envelope');
}

class TimedOut extends Error {}

/** Gives `work` a limit; the stream is destroyed in any case: from here on the log is the only reader. */
async function limited<T>(stream: Duplex, work: () => Promise<T>): Promise<T> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stream.destroy();
  }, HANDSHAKE_LIMIT_MS);
  try {
    return await work();
  } catch (error) {
    throw timedOut ? new TimedOut(`no answer within ${HANDSHAKE_LIMIT_MS} ms`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

/** The whole talk. A container that says nothing, or the wrong thing, is an answer; a broken stream throws. */
export async function handshake(
  stream: Duplex,
  envelope: () => Promise<Envelope>,
  mismatches: (self: SelfReport) => Promise<string[]>,
): Promise<HandshakeResult> {
  try {
    return await limited(stream, () => talk(stream, envelope, mismatches));
  } catch (error) {
    if (!(error instanceof TimedOut)) throw error;
    return failed(error.message);
  }
}

/** Only the first half: what the container sees of itself. Throws when it does not say so in time. */
export const readSelfReport = (stream: Duplex): Promise<SelfReport> =>
  limited(stream, async () => {
    for await (const message of messagesOf(stream)) if (message.lading === 'ready') return message.self;
    throw new Error('the container ended without a word');
  });
