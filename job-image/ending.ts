import type { EndReason } from './contract/exit-codes.ts';

/** The job cannot go on: thrown where that is known, printed as the `end` message where the job ends. */
export class JobEnd extends Error {
  override name = 'JobEnd';
  readonly reason: EndReason;
  readonly retryAfterSeconds: number | undefined;
  constructor(
    reason: EndReason,
    detail: string,
    more: { retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.reason = reason;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}
