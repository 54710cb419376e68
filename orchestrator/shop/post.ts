/**
 * One POST to an address that somebody entered: https to the public internet only, on a connection to exactly the address
 * that was checked, without following where the answer points.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { lookupAll, resolvePublic } from '../../net/resolve-public.ts';
import type { Answered, NotAnswered } from './after-try.ts';

export const ANSWER_LIMIT_MS = 15_000;
/** Of the answer's body; the rest is not read. */
const ANSWER_MAX_BYTES = 16 * 1024;
const ANSWER_KEPT_CHARS = 512;
const HEADER_MAX_BYTES = 16 * 1024;

export type Post = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
) => Promise<Answered | NotAnswered>;

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : error.name);

/** Printable, and no more than a reader of the delivery log needs. */
export const shownAnswer = (bytes: Buffer): string =>
  bytes
    .toString('utf8')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\uFFFD]/gu, ' ')
    .slice(0, ANSWER_KEPT_CHARS)
    .toWellFormed();

/** Where to connect, or why not. */
async function target(url: URL, sandboxOrigins: ReadonlySet<string>): Promise<{ address: string } | { error: string }> {
  if (url.username !== '' || url.password !== '') return { error: 'credentials in the address' };
  const isSandbox = sandboxOrigins.has(url.origin);
  if (url.protocol !== 'https:' && !isSandbox) return { error: 'not https' };
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const found = isSandbox ? await lookupAll(host) : await resolvePublic(host);
  if ('failed' in found)
    return { error: found.failed === 'not_public' ? 'address not public' : `name not resolved: ${found.failed}` };
  const [first] = found.addresses;
  return first ? { address: first.address } : { error: 'name not resolved: unknown' };
}

/** `sandboxOrigins` may be plain HTTP and in private space; nothing else may. */
export function makePost(sandboxOrigins: ReadonlySet<string>, limitMs = ANSWER_LIMIT_MS): Post {
  return async (address, headers, body) => {
    const url = URL.parse(address);
    if (!url) return { error: 'not an address' };
    const to = await target(url, sandboxOrigins);
    if ('error' in to) return to;
    const isTls = url.protocol === 'https:';
    const limit = AbortSignal.timeout(limitMs);
    return await new Promise((resolve) => {
      const call = (isTls ? requestHttps : requestHttp)({
        // Not the name: looked up once more it could be another address.
        host: to.address,
        port: url.port || (isTls ? 443 : 80),
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        agent: false,
        maxHeaderSize: HEADER_MAX_BYTES,
        signal: limit,
        headers: {
          ...headers,
          Host: url.host,
          'Content-Length': Buffer.byteLength(body),
          'Accept-Encoding': 'identity',
          Connection: 'close',
        },
        ...(isTls && isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 && { servername: url.hostname }),
      });
      call.on('error', (error) => resolve({ error: limit.aborted ? 'no answer in time' : codeOf(error) }));
      call.on('response', (answer) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        const done = (): void => {
          resolve({
            status: answer.statusCode ?? 0,
            retryAfter: answer.headers['retry-after'],
            body: shownAnswer(Buffer.concat(parts).subarray(0, ANSWER_MAX_BYTES)),
          });
          call.destroy();
        };
        answer.on('data', (part: Buffer) => {
          parts.push(part);
          bytes += part.length;
          if (bytes >= ANSWER_MAX_BYTES) done();
        });
        answer.on('end', done);
        // The status came; what of the body is missing changes nothing, unless it took too long.
        answer.on('error', () => (limit.aborted ? resolve({ error: 'no answer in time' }) : done()));
      });
      call.end(body);
    });
  };
}
