/** The file that `courses put` reads: one course, or an array of them. */
import { z } from 'zod';
import { FOLDER_MODES, type CourseRow, type RightsRecord } from '../sql/courses.ts';

const https = z.url({ protocol: /^https$/ });

/** The name of a provider token of the orchestrator's, never the token itself. */
const bearer = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/i, 'is the name of a token');
/** `enrolUrl` is asked before the download whether the course is open to us. */
const enrolled = { enrolUrl: https.optional(), bearer: bearer.optional() };

const entry = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  title: z.string().min(1).max(200),
  priceVnd: z.int().min(1_000).max(500_000_000),
  profile: z.string().min(1).max(64).default('standard'),
  folder: z.enum(FOLDER_MODES).default('personal'),
  rights: z
    .strictObject({
      kind: z.enum(['own', 'licensed', 'open']),
      evidence: z.string().regex(/^(https:\/\/\S+|sha256:[0-9a-f]{64})$/, 'is an https URL or sha256:<64 hex digits>'),
      recordedBy: z.string().min(1).max(200),
    })
    .optional(),
});

const courseSchema = z.discriminatedUnion('provider', [
  entry.extend({ provider: z.literal('manifest'), source: z.strictObject({ manifestUrl: https, ...enrolled }) }),
  entry.extend({ provider: z.literal('hls'), source: z.strictObject({ courseUrl: https, ...enrolled }) }),
  entry.extend({
    provider: z.literal('udemy'),
    source: z.strictObject({ courseId: z.int().min(1), bearer, apiUrl: https.optional() }),
  }),
]);

const COURSES_MAX = 1_000;
const listSchema = z.array(courseSchema).min(1).max(COURSES_MAX);

export type CourseEntry = { course: CourseRow; rights: RightsRecord | undefined };

/** Throws an Error that names the fields that are wrong. */
export function parseCourseFile(text: string): CourseEntry[] {
  const value: unknown = JSON.parse(text);
  const parsed = listSchema.safeParse(Array.isArray(value) ? value : [value]);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  return parsed.data.map(({ id, title, priceVnd, provider, source, profile, folder, rights }) => ({
    course: { id, title, price_vnd: priceVnd, provider, source, profile, folder },
    rights,
  }));
}
