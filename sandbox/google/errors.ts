import type { Context } from 'koa';

/** An answer in the shape of Google's APIs: `error.code`, `error.message`, `error.errors[].reason`. */
export class GoogleError extends Error {
  override name = 'GoogleError';
  readonly status: number;
  readonly reason: string;
  /** The parameter or header at fault, where Google names one. */
  readonly location: string | undefined;
  constructor(status: number, reason: string, message: string, location?: string) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.location = location;
  }
}

const USAGE_LIMITS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'dailyLimitExceeded', 'quotaExceeded']);

const USUAL_REASON: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'authError',
  403: 'forbidden',
  404: 'notFound',
  429: 'rateLimitExceeded',
  500: 'internalError',
  503: 'backendError',
};

export function writeGoogleError(ctx: Context, status: number, reason: string | undefined, message?: string): void {
  const known = reason ?? USUAL_REASON[status] ?? 'backendError';
  const text = message ?? `Sandbox: ${known}`;
  ctx.status = status;
  ctx.body = {
    error: {
      code: status,
      message: text,
      errors: [{ message: text, domain: USAGE_LIMITS.has(known) ? 'usageLimits' : 'global', reason: known }],
    },
  };
}

export function writeThrown(ctx: Context, error: GoogleError): void {
  writeGoogleError(ctx, error.status, error.reason, error.message);
  if (error.status === 401) ctx.set('WWW-Authenticate', 'Bearer realm="https://accounts.google.com/"');
  if (error.location === undefined) return;
  const locationType = error.location === 'Authorization' ? 'header' : 'parameter';
  const { errors } = (ctx.body as { error: { errors: object[] } }).error;
  Object.assign(errors[0] ?? {}, { locationType, location: error.location });
}

export const notFound = (fileId: string): GoogleError =>
  new GoogleError(404, 'notFound', `File not found: ${fileId}.`, 'fileId');
export const invalid = (message: string, location?: string): GoogleError =>
  new GoogleError(400, 'invalid', message, location);
