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

/** A person's words, as Postgres can hold them. */
export const words = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds what is no character');
