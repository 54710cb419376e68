import { z } from 'zod';

/** One delivery attempt: an HTTP answer, or none. */
export type AttemptResult = { status: number; body: string } | { unreachable: string };

const successSchema = z.object({ success: z.literal(true) });

function saysSuccess(body: string): boolean {
  try {
    return successSchema.safeParse(JSON.parse(body)).success;
  } catch {
    return false;
  }
}

/** SePay counts a webhook as delivered on 200 or 201 and a body with `"success": true`. */
export const isDelivered = (result: AttemptResult): boolean =>
  'status' in result && (result.status === 200 || result.status === 201) && saysSuccess(result.body);

/** It tries again when nobody answered or the status is not 2xx; a 200 without success is failed for good. */
export const isRetried = (result: AttemptResult): boolean =>
  'unreachable' in result || result.status < 200 || result.status > 299;

/** Pauses before the second to the eighth attempt: Fibonacci minutes, attempts at 0, 1, 2, 4, 7, 12, 20 and 33 min. */
export const RETRY_PAUSES_MINUTES = [1, 1, 2, 3, 5, 8, 13] as const;
