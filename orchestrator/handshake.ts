/**
 * The talk over a fresh container's stdio: it says `ready` with a nonce and what it sees of itself; we compare, send
 * the envelope, and it says `accepted`. No secret leaves us before the comparison held. Between the two halves a
 * container may wait for hours: that is a standby.
 */
import type { Duplex } from 'node:stream';
import { encodeEnvelope, type Envelope } from '../job-image/contract/envelope.ts';
import { parseJobMessage, type JobMessage } from '../job-image/contract/messages.ts';
import { demux } from './engine/demux.ts';
import type { Engine } from './engine/engine.ts';
import type { ContainerSpec } from './container-spec.ts';
import { hardeningMismatches, type InspectedContainer } from './hardening.ts';

/** For each half of the talk. */
const HANDSHAKE_LIMIT_MS = 12_000;
/** What a container may say before it has its envelope. */
const PRELUDE_MAX_BYTES = 64 * 1024;

/** Started, compared, and blocked on stdin: nothing but the envelope is missing. */
export type WaitingContainer = {
  id: string;
  nonce: string;
  stdio: Duplex;
  messages: AsyncGenerator<JobMessage>;
};

export type Refusal = { ok: false; reason: 'hardening_mismatch' | 'handshake_failed'; detail: string };

/** Job messages on stdout until the stream ends; everything else is left to the log. */
async function* messagesOf(stream: Duplex): AsyncGenerator<JobMessage> {
  let text = '';
  let bytes = 0;
  for await (const frame of demux(stream)) {
    bytes += frame.payload.length;
    if (bytes > PRELUDE_MAX_BYTES) throw new Error(`more than ${PRELUDE_MAX_BYTES} bytes before the envelope`);
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

const refused = (detail: string): Refusal => ({ ok: false, reason: 'handshake_failed', detail });

/** The next message, or in words why there is none. A container that stays silent has its stream destroyed. */
async function nextMessage(stdio: Duplex, messages: AsyncGenerator<JobMessage>): Promise<JobMessage | string> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stdio.destroy();
  }, HANDSHAKE_LIMIT_MS);
  try {
    const { value, done } = await messages.next();
    if (done) return timedOut ? `no answer within ${HANDSHAKE_LIMIT_MS} ms` : 'the container ended without a word';
    return value.lading === 'end' ? `${value.reason}: ${value.detail}` : value;
  } catch (error) {
    if (timedOut) return `no answer within ${HANDSHAKE_LIMIT_MS} ms`;
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a created container and brings it to where it waits for its envelope. Throws EngineError. */
export async function openContainer(
  engine: Engine,
  spec: ContainerSpec,
  id: string,
): Promise<{ ok: true; waiting: WaitingContainer } | Refusal> {
  const stdio = await engine.attach(id);
  // A stream that breaks while nobody reads is found by the next read.
  stdio.on('error', () => undefined);
  const messages = messagesOf(stdio);
  const give = (refusal: Refusal): Refusal => {
    stdio.destroy();
    return refusal;
  };
  try {
    await engine.start(id);
  } catch (error) {
    stdio.destroy();
    throw error;
  }
  const said = await nextMessage(stdio, messages);
  if (typeof said === 'string') return give(refused(said));
  if (said.lading !== 'ready') return give(refused(`said ${said.lading} before ready`));
  const seen = await engine.inspect(id);
  if (!seen) return give(refused('the container is gone'));
  const wrong = hardeningMismatches(spec, seen.raw as InspectedContainer, said.self);
  if (wrong.length > 0) return give({ ok: false, reason: 'hardening_mismatch', detail: wrong.join('; ') });
  return { ok: true, waiting: { id, nonce: said.nonce, stdio, messages } };
}

/** Hands the envelope over. The stream is destroyed in any case: from here on the log is the only reader. */
export async function handOver(waiting: WaitingContainer, envelope: Envelope): Promise<{ ok: true } | Refusal> {
  try {
    waiting.stdio.write(encodeEnvelope(envelope, waiting.nonce));
    const said = await nextMessage(waiting.stdio, waiting.messages);
    if (typeof said === 'string') return refused(said);
    return said.lading === 'accepted' && said.attemptId === envelope.attemptId
      ? { ok: true }
      : refused(`said ${said.lading} instead of accepted`);
  } finally {
    waiting.stdio.destroy();
  }
}
