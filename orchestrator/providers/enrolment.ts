/** The provider's word that the account has access to a course. One contract, one branch a provider. */
import { z } from 'zod';

const ENROL_LIMIT_MS = 15_000;
/** What an enrolment answers beyond this is not read. */
const ANSWER_READ_MAX_BYTES = 64 * 1024;
const HTTP_TOO_MANY = 429;
const HTTP_SERVER_ERROR = 500;

/** What the catalogue says of a course of provider `manifest`. `bearer` names a token of the operator's store. */
export const manifestSourceSchema = z.strictObject({
  manifestUrl: z.url({ protocol: /^https$/ }),
  enrolUrl: z.url({ protocol: /^https$/ }).optional(),
  bearer: z.string().min(1).max(64).optional(),
});
export type ManifestSource = z.infer<typeof manifestSourceSchema>;

export type EnrolResult =
  | { ok: true }
  | { ok: false; retry: true; detail: string; retryAfterSeconds?: number }
  | { ok: false; retry: false; reason: 'not_enrolled' | 'course_misconfigured'; detail: string };

export const bearerOf = (source: ManifestSource, tokens: ReadonlyMap<string, string>): string | undefined =>
  source.bearer === undefined ? undefined : tokens.get(source.bearer);

/** A body that was read leaves the connection to the next call; a cancelled one takes it along. */
async function readAway(answer: Response): Promise<void> {
  let bytes = 0;
  for await (const chunk of answer.body ?? []) if ((bytes += chunk.length) > ANSWER_READ_MAX_BYTES) break;
}

/** Asks the provider. A course without an enrolment endpoint is reached with a HEAD of its manifest by the job itself. */
export async function enrol(
  rawSource: unknown,
  tokens: ReadonlyMap<string, string>,
  order: { id: string },
): Promise<EnrolResult> {
  const parsed = manifestSourceSchema.safeParse(rawSource);
  if (!parsed.success)
    return { ok: false, retry: false, reason: 'course_misconfigured', detail: z.prettifyError(parsed.error) };
  const source = parsed.data;
  const token = bearerOf(source, tokens);
  if (source.bearer !== undefined && token === undefined)
    return {
      ok: false,
      retry: false,
      reason: 'course_misconfigured',
      detail: `no provider token named ${source.bearer}`,
    };
  if (source.enrolUrl === undefined) return { ok: true };
  try {
    const answer = await fetch(source.enrolUrl, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(ENROL_LIMIT_MS),
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ reference: order.id }),
    });
    await readAway(answer);
    if (answer.ok) return { ok: true };
    const detail = `the provider answered ${answer.status}`;
    if (answer.status === HTTP_TOO_MANY || answer.status >= HTTP_SERVER_ERROR) {
      const seconds = Number(answer.headers.get('retry-after'));
      return { ok: false, retry: true, detail, ...(seconds > 0 ? { retryAfterSeconds: seconds } : {}) };
    }
    return { ok: false, retry: false, reason: 'not_enrolled', detail };
  } catch (error) {
    return { ok: false, retry: true, detail: `the provider cannot be reached: ${(error as Error).message}` };
  }
}
