/** Fields that several operations share. */
import { z } from 'zod';

const PAGE_MAX = 100;
export const PAGE_DEFAULT = 50;

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const instant = z.iso.datetime();
export const iso = (at: Date): string => at.toISOString();
export const isoOrNull = (at: Date | null): string | null => at?.toISOString() ?? null;

export const paging = {
  limit: z.coerce.number().pipe(z.int().min(1).max(PAGE_MAX)).optional(),
  cursor: z.string().max(200).optional(),
};
export const nextCursor = z.string().nullable().describe('For the next page; null at the end.');
export const orderCode = z.string().regex(/^LD[2-9A-HJKMNP-TW-Z]{10}$/);

export const courseId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'is not a course id');
/** A job's id or its order's code, as it stands in a path. */
export const jobParam = z.strictObject({
  job: z.union([z.string().regex(UUID), orderCode]).describe("A job's id or its order's code"),
});
export const PRIORITY = z.int().min(-10).max(10).describe('Above 0 less urgent, below 0 more; a step is 100 places.');

/** A person's words, as Postgres can hold them. */
export const words = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds what is no character');

const ATTEMPT_MAX = 9_999;
/** In a query, where everything is text. */
export const attemptNumber = z.coerce.number().pipe(z.int().min(1).max(ATTEMPT_MAX));
