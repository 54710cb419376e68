import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { PROVIDER_TOKEN, QUICK, startOutside, type Outside } from '../test/outside.ts';
import { readSource } from '../source.ts';
import { REDIRECTS_MAX } from './get.ts';
import { makeManifestProvider } from './manifest.ts';
import { SourceMismatchError, type SourceFile } from './provider.ts';

let outside: Outside;
beforeAll(async () => {
  outside = await startOutside();
});
afterAll(() => outside.stop());

const never = new AbortController().signal;
const providerOf = (course: string, bearer: string | undefined = PROVIDER_TOKEN) =>
  makeManifestProvider({
    https: outside.https,
    manifestUrl: course.startsWith('https:') ? course : `${outside.providerUrl}/courses/${course}/manifest.json`,
    bearer,
    retry: QUICK,
  });
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
async function contentOf(course: string, index = 0) {
  const provider = providerOf(course);
  const file = (await provider.list(never))[index] as SourceFile;
  const pieces: Buffer[] = [];
  for await (const piece of readSource(provider, file, never)) pieces.push(piece);
  return { file, content: Buffer.concat(pieces) };
}

describe('a course of the sandbox', () => {
  test('is listed, and its files are read', async () => {
    const { file, content } = await contentOf('tiny');
    expect(content.length).toBe(file.bytes);
    expect(sha256(content)).toBe(file.sha256);
  });

  test('is read on from where a connection broke', async () => {
    await outside.providerFault({ match: { path: 'slow.bin' }, afterBytes: 1_000_000, times: 2 });
    const { file, content } = await contentOf('slow');
    expect(file.bytes).toBe(3_000_000);
    expect(sha256(content)).toBe(file.sha256);
  });

  test.each([
    ['always-503', 'provider_unavailable'],
    ['unknown', 'manifest_invalid'],
    ['protected', 'protected_content'],
    ['unmarked', 'protected_content'],
  ])('%s ends with %s', async (course, reason) => {
    await expect(providerOf(course).list(never)).rejects.toMatchObject({ name: 'JobEnd', reason });
  });

  test('without the right token is denied', async () => {
    await expect(providerOf('tiny', 'another-token').list(never)).rejects.toMatchObject({ reason: 'provider_denied' });
  });

  test('Retry-After beyond our patience is handed on', async () => {
    await outside.providerFault({ match: { path: 'manifest' }, status: 503, retryAfter: 120, times: 1 });
    await expect(providerOf('tiny').list(never)).rejects.toMatchObject({
      reason: 'provider_unavailable',
      retryAfterSeconds: 120,
    });
  });

  test('a short outage is waited out', async () => {
    await outside.providerFault({ match: { path: 'manifest' }, status: 502, times: 2 });
    await expect(providerOf('tiny').list(never)).resolves.toHaveLength(3);
  });
});

describe('a provider of another kind', () => {
  const CONTENT = Buffer.from('0123456789');
  let seen: IncomingMessage[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let manifest: object | string | Buffer;
  let origin: string;
  let other: string;
  const listener = () => (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request);
    if (request.url !== '/manifest.json') return answer(request, response);
    return void response.end(
      typeof manifest === 'object' && !Buffer.isBuffer(manifest) ? JSON.stringify(manifest) : manifest,
    );
  };
  beforeAll(async () => {
    origin = (await outside.serveHttps(listener)).url;
    other = (await outside.serveHttps(listener)).url;
  });
  beforeEach(() => {
    seen = [];
    answer = (_request, response) => void response.end(CONTENT);
    manifest = {
      format: 'lading-manifest/1',
      protection: 'none',
      files: [
        { path: 'own', url: '/own', bytes: CONTENT.length, sha256: sha256(CONTENT) },
        { path: 'cdn', url: `${other}/cdn`, bytes: CONTENT.length, sha256: sha256(CONTENT) },
      ],
    };
  });
  const course = (): string => `${origin}/manifest.json`;

  test('sees the token at its own origin, and another origin does not', async () => {
    await contentOf(course(), 0);
    await contentOf(course(), 1);
    const tokens = seen.filter(({ url }) => url !== '/manifest.json').map(({ headers }) => headers.authorization);
    expect(tokens).toEqual([`Bearer ${PROVIDER_TOKEN}`, undefined]);
  });

  test('may know no ranges', async () => {
    let calls = 0;
    answer = (_request, response) => {
      calls += 1;
      if (calls > 1) return void response.end(CONTENT);
      response.writeHead(200, { 'content-length': CONTENT.length });
      return void response.write(CONTENT.subarray(0, 4), () => response.destroy());
    };
    expect((await contentOf(course())).content).toEqual(CONTENT);
    expect(calls).toBeGreaterThan(1);
  });

  test('may redirect to another https place, which does not see the token', async () => {
    answer = (request, response) =>
      request.url === '/x'
        ? void response.end(CONTENT)
        : void response.writeHead(302, { location: `${other}/x` }).end();
    expect((await contentOf(course(), 0)).content).toEqual(CONTENT);
    expect(seen.filter(({ url }) => url === '/x').map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
  test.each(['http://localhost/x', 'file:///etc/passwd', 'https://user:secret@localhost/x', ''])(
    'may not redirect to "%s"',
    async (location) => {
      answer = (_request, response) => void response.writeHead(307, { location }).end();
      await expect(contentOf(course())).rejects.toMatchObject({ reason: 'manifest_invalid' });
    },
  );
  test('may redirect REDIRECTS_MAX times and no more', async () => {
    const hops = (count: number) => {
      let left = count;
      answer = (_request, response) => {
        left -= 1;
        return left < 0 ? void response.end(CONTENT) : void response.writeHead(301, { location: '/again' }).end();
      };
    };
    hops(REDIRECTS_MAX);
    expect((await contentOf(course(), 0)).content).toEqual(CONTENT);
    hops(REDIRECTS_MAX + 1);
    await expect(contentOf(course(), 0)).rejects.toMatchObject({ reason: 'manifest_invalid' });
  });

  test.each([
    ['has other bytes than announced', (_: IncomingMessage, response: ServerResponse) => void response.end('short')],
    [
      'has more, and does not say how many',
      (_: IncomingMessage, response: ServerResponse) => {
        response.write('01234');
        response.end('567890');
      },
    ],
  ])('%s', async (_title, reply) => {
    answer = reply;
    await expect(contentOf(course())).rejects.toThrow(SourceMismatchError);
  });

  test('has another version half-way', async () => {
    let calls = 0;
    answer = (_request, response) => {
      calls += 1;
      response.writeHead(200, { 'content-length': CONTENT.length, etag: `"${calls}"` });
      if (calls === 1) response.write(CONTENT.subarray(0, 4), () => response.destroy());
      else response.end(CONTENT);
    };
    await expect(contentOf(course())).rejects.toThrow('has changed half-way');
  });

  test('hands out a play list under another name', async () => {
    answer = (_request, response) =>
      void response.writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl' }).end('#EXTM3U\n.');
    await expect(contentOf(course())).rejects.toMatchObject({ reason: 'protected_content' });
  });

  test.each([
    ['is no JSON', '<html>'],
    ['is larger than any manifest', Buffer.alloc(8 * 1024 * 1024 + 1, ' ')],
  ])('its manifest %s', async (_title, body) => {
    manifest = body;
    await expect(contentOf(course())).rejects.toMatchObject({ reason: 'manifest_invalid' });
  });
});

test('a job that is told to stop stops waiting for its provider', async () => {
  const { url } = await outside.serveHttps(() => () => stop.abort(new Error('stopped')));
  const stop = new AbortController();
  await expect(providerOf(`${url}/manifest.json`).list(stop.signal)).rejects.toThrow('stopped');
});
