/** A day: what asks for more is taken for a mistake. */
export const RETRY_AFTER_MAX_SECONDS = 86_400;

/** Seconds of a `Retry-After` header, given as seconds or as a date; undefined for anything else. */
export function parseRetryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = [header].flat()[0]?.trim();
  if (text === undefined || text === '') return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - nowMs) / 1_000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), RETRY_AFTER_MAX_SECONDS) : undefined;
}
