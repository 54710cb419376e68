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

/** Destroys `stream` in any case: from here on the log is the only reader. */
export async function handshake(
  stream: Duplex,
  envelope: () => Promise<Envelope>,
  mismatches: (self: SelfReport) => Promise<string[]>,
): Promise<HandshakeResult> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stream.destroy();
  }, HANDSHAKE_LIMIT_MS);
  try {
    return await talk(stream, envelope, mismatches);
  } catch (error) {
    if (!timedOut) throw error;
    return { ok: false, reason: 'handshake_failed', detail: `no answer within ${HANDSHAKE_LIMIT_MS} ms` };
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}
