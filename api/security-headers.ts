import type { Middleware } from 'koa';
import type { State } from './context.ts';

/** On every answer, those that Node gives by itself included. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** Where customers come over TLS, they are to come over nothing else for two years. */
const TLS_ONLY = { 'Strict-Transport-Security': 'max-age=63072000' };

export const securityHeaders = (isTls: boolean): Middleware<State> => {
  const headers = isTls ? { ...SECURITY_HEADERS, ...TLS_ONLY } : SECURITY_HEADERS;
  return (ctx, next) => {
    ctx.set(headers);
    return next();
  };
};
