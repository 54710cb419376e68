/** What Drive answers to a PUT of an upload session, judged without any network. */
import type { EndReason } from '../contract/exit-codes.ts';
import { driveVerdict, isDenial } from './verdict.ts';

export type SessionReply =
  | { readonly kind: 'complete' }
  /** So many bytes are safe, counted from the start; the next one to send has this number. */
  | { readonly kind: 'confirmed'; readonly bytes: number }
  | { readonly kind: 'again' }
  /** The session is gone or no longer usable: the file starts again in a new one. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'end'; readonly reason: EndReason };

const RANGE = /^bytes=0-(\d{1,15})$/;

/** How many bytes a `Range` of a 308 confirms: none without the header; undefined where it cannot be read. */
export function confirmedBytes(range: string | undefined): number | undefined {
  if (range === undefined || range === '') return 0;
  const last = RANGE.exec(range)?.[1];
  return last === undefined ? undefined : Number(last) + 1;
}

export function sessionReply(answer: {
  status: number;
  range: string | undefined;
  reason: string | undefined;
}): SessionReply {
  const { status, range, reason } = answer;
  if (status === 200 || status === 201) return { kind: 'complete' };
  if (status === 308) {
    const bytes = confirmedBytes(range);
    return bytes === undefined ? { kind: 'expired' } : { kind: 'confirmed', bytes };
  }
  const verdict = driveVerdict(status, reason);
  if (verdict === 'again') return { kind: 'again' };
  if (verdict === 'drive_quota') return { kind: 'end', reason: verdict };
  if (status === 403 && verdict === 'drive_unavailable') return { kind: 'end', reason: verdict };
  if (status === 403 && isDenial(reason)) return { kind: 'end', reason: 'drive_denied' };
  // Any other 4xx is the session's: where it was the account's after all, the start of the next one says so.
  return { kind: 'expired' };
}
