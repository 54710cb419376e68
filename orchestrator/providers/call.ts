import { parseRetryAfter } from '../../job-image/contract/retry-after.ts';
import type { EnrolResult } from './enrolment.ts';

const CALL_LIMIT_MS = 15_000;
const HTTP_TOO_MANY = 429;
const HTTP_SERVER_ERROR = 500;

export type Answered = { ok: true; body: string } | Extract<EnrolResult, { ok: false }>;

/** A body that was read leaves the connection to the next call; a cancelled one takes it along. */
async function readUpTo(answer: Response, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** One call to a provider, without redirects. A refusal is `not_enrolled`; what may pass is to be tried again. */
export async function callProvider(
  url: string,
  options: { token: string | undefined; json?: unknown; maxBytes: number },
): Promise<Answered> {
  const { token, json, maxBytes } = options;
  try {
    const answer = await fetch(url, {
      method: json === undefined ? 'GET' : 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
      headers: {
        accept: 'application/json',
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const body = await readUpTo(answer, maxBytes);
    const detail = `the provider answered ${answer.status}`;
    if (answer.ok) return { ok: true, body: body ?? '' };
    if (answer.status === HTTP_TOO_MANY || answer.status >= HTTP_SERVER_ERROR) {
      const seconds = parseRetryAfter(answer.headers.get('retry-after') ?? undefined, Date.now());
      return { ok: false, retry: true, detail, ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) };
    }
    return { ok: false, retry: false, reason: 'not_enrolled', detail };
  } catch (error) {
    return { ok: false, retry: true, detail: `the provider cannot be reached: ${(error as Error).message}` };
  }
}
