/** The provider's word that the account has access to a course. One contract, one branch a provider. */
import type { ProviderName } from '../../sql/courses.ts';
import { callProvider } from './call.ts';
import { readSource, type Tokens } from './sources.ts';
import { enrolAtUdemy } from './udemy.ts';

/** An enrolment's answer is read away up to here. */
const ANSWER_MAX_BYTES = 64 * 1024;

export type EnrolResult =
  | { ok: true }
  | { ok: false; retry: true; detail: string; retryAfterSeconds?: number }
  | { ok: false; retry: false; reason: 'not_enrolled' | 'course_misconfigured'; detail: string };

/** Asks the provider. A course without an enrolment endpoint is simply open to the job, or refuses it. */
export async function enrol(
  course: { provider: ProviderName; source: unknown },
  tokens: Tokens,
  order: { id: string },
): Promise<EnrolResult> {
  const read = readSource(course.provider, course.source, tokens);
  if (!read.ok) return { ok: false, retry: false, reason: 'course_misconfigured', detail: read.detail };
  const { source, token } = read;
  if (source.provider === 'udemy') return await enrolAtUdemy(source, token);
  if (source.enrolUrl === undefined) return { ok: true };
  const json = { reference: order.id };
  const answer = await callProvider(source.enrolUrl, { token, json, maxBytes: ANSWER_MAX_BYTES });
  return answer.ok ? { ok: true } : answer;
}
