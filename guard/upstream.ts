/** The engine's own socket: calls of the guard's, and calls passed on. Every answer begins within a limit. */
import { request, type ClientRequest, type IncomingMessage } from 'node:http';

const ANSWER_LIMIT_MS = 10_000;
const ANSWER_MAX_BYTES = 4 * 1024 * 1024;

export class UpstreamError extends Error {
  override name = 'UpstreamError';
}

export type Upstream = {
  /** A call whose answer the caller reads; it ends it, too. */
  open: (options: { method: string; path: string; headers?: Record<string, string> }) => ClientRequest;
  /** A call of our own, with the answer's status and JSON. Rejects with UpstreamError. */
  ask: (path: string) => Promise<{ status: number; json: unknown }>;
};

async function read(response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > ANSWER_MAX_BYTES) throw new UpstreamError(`the engine answered more than ${ANSWER_MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8'));
}

/** A connection for each call: what one client left on a connection is no concern of another. */
export function makeUpstream(socketPath: string): Upstream {
  const open: Upstream['open'] = ({ method, path, headers }) =>
    request({ socketPath, method, path, agent: false, headers: { host: 'docker', ...headers } });
  return {
    open,
    ask: (path) =>
      new Promise((resolve, reject) => {
        const failed = (cause: unknown): void =>
          reject(cause instanceof UpstreamError ? cause : new UpstreamError('the engine does not answer', { cause }));
        const asked = open({ method: 'GET', path });
        const limit = setTimeout(() => asked.destroy(new UpstreamError('the engine takes too long')), ANSWER_LIMIT_MS);
        asked.on('error', failed).on('response', (response) => {
          read(response).then((json) => resolve({ status: response.statusCode ?? 0, json }), failed);
        });
        asked.on('close', () => clearTimeout(limit));
        asked.end();
      }),
  };
}
