/** A course as an operator writes it down. */
import { z } from 'zod';
import { FOLDER_MODES, type CourseRow, type RightsRecord } from '../../sql/courses.ts';
import { courseId, PRIORITY } from './fields.ts';

const storable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');
const HOLDS_NO_CHARACTER = 'holds what is no character';
const text = (maxChars: number) => z.string().min(1).max(maxChars).refine(storable, HOLDS_NO_CHARACTER);
const URL_MAX_CHARS = 2_000;
const https = z
  .url({ protocol: /^https$/ })
  .max(URL_MAX_CHARS)
  .refine(storable, HOLDS_NO_CHARACTER);

/** The name of a provider token of the orchestrator's, never the token itself. */
const bearer = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/i, 'is the name of a token');
/** `enrolUrl` is asked before the download whether the course is open to us. */
const enrolled = { enrolUrl: https.optional(), bearer: bearer.optional() };

const entry = z.strictObject({
  id: courseId,
  title: text(200),
  priceVnd: z.int().min(1_000).max(500_000_000),
  profile: text(64).default('standard'),
  folder: z.enum(FOLDER_MODES).default('personal'),
  priority: PRIORITY.default(0),
  listed: z.boolean().default(true).describe('Whether customers see it and can order it.'),
  rights: z
    .strictObject({
      kind: z.enum(['own', 'licensed', 'open']),
      evidence: z
        .string()
        .max(URL_MAX_CHARS)
        .regex(/^(https:\/\/\S+|sha256:[0-9a-f]{64})$/, 'is an https URL or sha256:<64 hex digits>')
        .refine(storable, HOLDS_NO_CHARACTER),
      recordedBy: text(200).optional().describe('Default: the name of the key.'),
    })
    .optional()
    .describe('Without one the course cannot be ordered. One that is there stays when none is given.'),
});

export const courseEntry = z.discriminatedUnion('provider', [
  entry.extend({ provider: z.literal('manifest'), source: z.strictObject({ manifestUrl: https, ...enrolled }) }),
  entry.extend({ provider: z.literal('hls'), source: z.strictObject({ courseUrl: https, ...enrolled }) }),
  entry.extend({
    provider: z.literal('udemy'),
    source: z.strictObject({ courseId: z.int().min(1), bearer, apiUrl: https.optional() }),
  }),
]);
export type CourseEntry = z.output<typeof courseEntry>;

/** As the catalogue keeps it. */
export function rowsOf(
  { rights, priceVnd, ...course }: CourseEntry,
  person: string,
): { course: CourseRow; rights: RightsRecord | undefined } {
  return {
    course: { ...course, price_vnd: priceVnd },
    rights: rights && { ...rights, recordedBy: rights.recordedBy ?? person },
  };
}
