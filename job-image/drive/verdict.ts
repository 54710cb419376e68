/** What an answer of Drive means for a job; statuses and reasons after Drive's "Resolve errors". */
import { z } from 'zod';
import type { EndReason } from '../contract/exit-codes.ts';

export type Verdict = 'ok' | 'again' | EndReason;

const RATE_REASONS = new Set(['userRateLimitExceeded', 'rateLimitExceeded', 'backendError']);
/** A limit that lasts for hours: no retry here, another attempt later. */
const SLOW_REASON = 'sharingRateLimitExceeded';
const DENIED_REASONS = new Set([
  'insufficientFilePermissions',
  'insufficientPermissions',
  'appNotAuthorizedToFile',
  'domainPolicy',
  'forbidden',
]);
const QUOTA_REASONS = new Set([
  'storageQuotaExceeded',
  'quotaExceeded',
  'dailyLimitExceeded',
  'teamDriveFileLimitExceeded',
  'numChildrenInNonRootLimitExceeded',
  'teamDriveHierarchyTooDeep',
]);

/**
 * 401 ends as drive_unavailable where a fresh token was refused too: the next attempt brings another one, and a credential
 * that is truly dead shows where it is minted.
 */
export function driveVerdict(status: number, reason: string | undefined): Verdict {
  if (status >= 200 && status < 300) return 'ok';
  if (status === 408 || status === 429 || status >= 500) return 'again';
  if (status === 401) return 'drive_unavailable';
  if (status === 403 && reason !== undefined && RATE_REASONS.has(reason)) return 'again';
  if (status === 403 && reason === SLOW_REASON) return 'drive_unavailable';
  if (reason !== undefined && QUOTA_REASONS.has(reason)) return 'drive_quota';
  return 'drive_denied';
}

/** Whether `reason` says in so many words that the account may not. */
export const isDenial = (reason: string | undefined): boolean => reason !== undefined && DENIED_REASONS.has(reason);

/** An account's limit, which meets every call alike; a server's trouble (5xx) is one call's. */
export const isRateLimit = (status: number, reason: string | undefined): boolean =>
  status === 429 || (status === 403 && reason !== undefined && reason !== 'backendError' && RATE_REASONS.has(reason));

const errorSchema = z.object({
  error: z.object({ errors: z.array(z.object({ reason: z.string().max(100) })).min(1) }),
});

/** The first `reason` of Drive's error body; undefined where there is none. */
export function reasonOf(body: string): string | undefined {
  try {
    return errorSchema.safeParse(JSON.parse(body)).data?.error.errors[0]?.reason;
  } catch {
    return undefined;
  }
}
