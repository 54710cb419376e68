/** What a job asks for with `CONNECT host:port`, and whether an allow-list holds it. */
import { isIP } from 'node:net';

export type Target = { readonly host: string; readonly port: number };
export type AllowList = readonly Target[];

const DEFAULT_PORT = 443;
const TARGET_MAX_CHARS = 260;
const TARGET = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/i;

export const formatTarget = ({ host, port }: Target): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Reads `host`, `host:port` or `[v6]:port` into lower case; undefined for everything else (paths, user names, ports out
 * of range). IPv4 addresses in odd spellings (`127.1`, `0x7f000001`, `2130706433`) come out dotted, as a browser has it,
 * so that no spelling slips past the address check.
 */
export function parseTarget(text: string): Target | undefined {
  const match = text.length <= TARGET_MAX_CHARS ? TARGET.exec(text) : null;
  if (match?.[1] === undefined) return undefined;
  const port = match[2] === undefined ? DEFAULT_PORT : Number(match[2]);
  if (port < 1 || port > 65_535) return undefined;
  const url = URL.parse(`https://${match[1]}/`);
  if (url === null || url.hostname === '' || url.hostname.endsWith('.')) return undefined;
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
}

const WILDCARD = /^\*(\.[a-z0-9_-]+){2,}$/;

/** An entry of an allow-list: a target, or `*.example.org:443` for one or more labels in front of it. */
export function parseAllowed(text: string): Target | undefined {
  if (!text.startsWith('*')) return parseTarget(text);
  const rest = parseTarget(text.slice(2));
  const host = `*.${rest?.host}`;
  return rest !== undefined && text.startsWith('*.') && WILDCARD.test(host) ? { host, port: rest.port } : undefined;
}

const hostFits = (allowed: string, host: string): boolean =>
  allowed.startsWith('*.') ? host.endsWith(allowed.slice(1)) && host.length > allowed.length - 1 : host === allowed;

export const isAllowed = (list: AllowList, target: Target): boolean =>
  list.some((allowed) => allowed.port === target.port && hostFits(allowed.host, target.host));
