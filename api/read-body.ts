import type { IncomingMessage } from 'node:http';
import { getRawBody } from 'raw-body';
import { Problem } from './problem.ts';

const typeOf = (error: unknown): unknown => (error instanceof Error && 'type' in error ? error.type : undefined);

/** The bytes as they came. Throws `body_too_large`, or `body_incomplete` when the caller went away. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  try {
    return await getRawBody(request, { limit: maxBytes, length: request.headers['content-length'] ?? null });
  } catch (error) {
    if (typeOf(error) === 'entity.too.large') {
      // The rest is read and thrown away, so that the caller gets to read our answer; the request timeout bounds it.
      request.resume();
      throw new Problem('body_too_large', `At most ${maxBytes} bytes are read.`);
    }
    if (typeOf(error) === 'request.aborted' || typeOf(error) === 'request.size.invalid')
      throw new Problem('body_incomplete');
    throw error;
  }
}

/** The value of a UTF-8 JSON text. Throws `json_invalid`. */
export function parseJson(raw: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    throw new Problem('json_invalid');
  }
}

/** Refuses every body that does not say it is plain JSON. */
export function requireJson(request: IncomingMessage): void {
  const [type] = (request.headers['content-type'] ?? '').split(';');
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (type?.trim().toLowerCase() !== 'application/json' || encoding.toLowerCase() !== 'identity')
    throw new Problem('media_type_unsupported');
}
