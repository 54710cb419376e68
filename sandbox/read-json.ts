import type { IncomingMessage } from 'node:http';
import { getRawBody } from 'raw-body';

const BODY_MAX_BYTES = 1024 * 1024;

/** The JSON of a request body; undefined where it is empty or no JSON. Throws when the body is larger than 1 MiB. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await getRawBody(request, { limit: BODY_MAX_BYTES, encoding: 'utf-8' });
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
