import { z } from 'zod';
import { callProvider } from './call.ts';
import type { EnrolResult } from './enrolment.ts';

const PAGE_COURSES = 100;
const PAGES_MAX = 50;
const PAGE_MAX_BYTES = 1024 * 1024;
const pageSchema = z.object({
  results: z.array(z.looseObject({ id: z.int() })).max(PAGE_COURSES),
  next: z.string().nullable(),
});

/** Whether the course is among those the operator's account has. Nothing is bought or enrolled. */
export async function enrolAtUdemy(
  source: { apiUrl: string; courseId: number },
  token: string | undefined,
): Promise<EnrolResult> {
  for (let page = 1; page <= PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ 'fields[course]': 'id', page: String(page), page_size: String(PAGE_COURSES) });
    const url = `${source.apiUrl}/api-2.0/users/me/subscribed-courses/?${query.toString()}`;
    const answer = await callProvider(url, { token, maxBytes: PAGE_MAX_BYTES });
    if (!answer.ok) return answer;
    let read;
    try {
      read = pageSchema.safeParse(JSON.parse(answer.body)).data;
    } catch {
      read = undefined;
    }
    if (read === undefined) return { ok: false, retry: true, detail: 'the list of courses cannot be read' };
    if (read.results.some(({ id }) => id === source.courseId)) return { ok: true };
    if (read.next === null)
      return {
        ok: false,
        retry: false,
        reason: 'not_enrolled',
        detail: `the account does not have course ${source.courseId}`,
      };
  }
  const detail = `course ${source.courseId} is not among the first ${PAGES_MAX * PAGE_COURSES} of the account`;
  return { ok: false, retry: false, reason: 'not_enrolled', detail };
}
