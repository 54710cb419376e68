import { CommandError, EXIT } from './exit.ts';

const DEFAULT_URL = 'http://127.0.0.1:8080';
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Where the API is. A key goes over plain HTTP only within this machine, or where LADING_PLAIN_HTTP=yes says that the
 * network in between is private. Throws CommandError.
 */
export function apiUrl(env: Readonly<Record<string, string | undefined>>): string {
  const text = env['LADING_URL'] || DEFAULT_URL;
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new CommandError(EXIT.config, `LADING_URL: ${text} is no http or https address`);
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname) && env['LADING_PLAIN_HTTP'] !== 'yes')
    throw new CommandError(
      EXIT.config,
      `LADING_URL: ${text} would carry your key in clear; use https, or set LADING_PLAIN_HTTP=yes inside a private network`,
    );
  return text.replace(/\/+$/, '');
}
