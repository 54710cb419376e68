import type { IncomingMessage } from 'node:http';
import { Problem } from '../problem.ts';
import { readBody } from '../read-body.ts';

export const FORM_MAX_BYTES = 8 * 1024;
export const FORM_FIELDS_MAX = 50;

/** The fields of a posted form; of several with one name the last. Throws Problem. */
export async function readForm(request: IncomingMessage, maxBytes = FORM_MAX_BYTES): Promise<Record<string, string>> {
  const [type] = (request.headers['content-type'] ?? '').split(';');
  if (type?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') throw new Problem('form_needed');
  const fields = [...new URLSearchParams((await readBody(request, maxBytes)).toString('utf8'))];
  if (fields.length > FORM_FIELDS_MAX)
    throw new Problem('body_too_large', `At most ${FORM_FIELDS_MAX} fields are read.`);
  return Object.fromEntries(fields);
}
