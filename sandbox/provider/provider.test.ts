import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Agent, fetch, type RequestInit } from 'undici';
import { serve, type Serving } from '../serve.ts';
import { ensureTls } from '../tls.ts';
import { makeProvider } from './app.ts';
import { openHashCache } from './hash-cache.ts';

type Manifest = {
  course: string;
  protection?: string;
  files: { path: string; url: string; bytes: number; sha256: string; contentType: string }[];
};
const log = pino({ level: 'silent' });
const page = Buffer.from('<p>Một trang</p>'.repeat(1_000));
const sha256Of = (bytes: Buffer | ArrayBuffer): string =>
  createHash('sha256')
    .update(Buffer.from(bytes as ArrayBuffer))
    .digest('hex');

let dir: string;
let server: Serving;
let agent: Agent;
const call = async (path: string, init: RequestInit = {}) =>
  await fetch(new URL(path, `${server.url}/courses/`), {
    dispatcher: agent,
    ...init,
    headers: { Authorization: 'Bearer secret', ...(init.headers as Record<string, string>) },
  });
const manifest = async (id: string) => (await (await call(`${id}/manifest.json`)).json()) as Manifest;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sandbox-provider-'));
  await mkdir(join(dir, 'courses/real/ảnh'), { recursive: true });
  await writeFile(join(dir, 'courses/real/ảnh/trang #1.html'), page);
  await writeFile(join(dir, 'courses/real/.hidden'), 'x');
  await writeFile(join(dir, 'courses/secret.txt'), 'x');
  const tls = await ensureTls(join(dir, 'tls'));
  agent = new Agent({ connect: { ca: tls.ca } });
  const hashes = await openHashCache(join(dir, 'courses/.hashes.json'), log);
  server = await serve({
    host: '127.0.0.1',
    port: 0,
    tls,
    handler: () =>
      makeProvider({
        coursesDir: join(dir, 'courses'),
        hashes,
        token: 'secret',
        slow: { bytes: 20_000, bytesPerSecond: 100_000 },
        log,
      }),
  });
});
afterAll(async () => {
  await agent.destroy();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('a course in a directory', () => {
  test('has a manifest whose URLs lead to bytes of the size and hash it names', async () => {
    const { files, ...rest } = await manifest('real');
    expect(rest).toEqual({ format: 'lading-manifest/1', course: 'real', title: 'real', protection: 'none' });
    expect(files).toEqual([
      {
        path: 'ảnh/trang #1.html',
        url: expect.any(String),
        bytes: page.length,
        sha256: sha256Of(page),
        contentType: 'text/html; charset=utf-8',
      },
    ]);
    const got = await call(`real/${files[0]?.url}`);
    expect([got.status, sha256Of(await got.arrayBuffer())]).toEqual([200, sha256Of(page)]);
  });

  test('sees a changed file, and believes its cache while size and time stay', async () => {
    const path = join(dir, 'courses/changing/a.txt');
    const at = new Date('2026-01-01T00:00:00Z');
    const hashAfter = async (text: string, time: Date) => {
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, text);
      await utimes(path, time, time);
      return (await manifest('changing')).files[0]?.sha256;
    };
    const first = await hashAfter('one', at);
    expect(await hashAfter('two', at)).toBe(first);
    expect(await hashAfter('two', new Date('2026-01-02T00:00:00Z'))).toBe(sha256Of(Buffer.from('two')));
  });

  test.each([
    'real/files/..%2f..%2fsecret.txt',
    'real/files/.hidden',
    'real/files/%ff',
    'none/manifest.json',
    '..%2f/manifest.json',
  ])('does not give out %s', async (path) => {
    expect((await call(path)).status).toBe(404);
  });
});

describe('a file', () => {
  const url = `real/files/${encodeURIComponent('ảnh')}/${encodeURIComponent('trang #1.html')}`;
  const part = async (headers: Record<string, string>) => {
    const response = await call(url, { headers });
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, range: response.headers.get('Content-Range'), body };
  };

  test('is given in part, from the middle and from the end', async () => {
    const end = page.length - 1;
    expect(await part({ Range: 'bytes=10-19' })).toEqual({
      status: 206,
      range: `bytes 10-19/${page.length}`,
      body: page.subarray(10, 20),
    });
    expect(await part({ Range: 'bytes=-5' })).toMatchObject({ status: 206, body: page.subarray(-5) });
    expect(await part({ Range: `bytes=${end}-` })).toMatchObject({ status: 206, body: page.subarray(end) });
    expect(await part({ Range: `bytes=${page.length}-` })).toMatchObject({
      status: 416,
      range: `bytes */${page.length}`,
    });
  });

  test('is given whole when the copy the client has parts of is not this one', async () => {
    const etag = (await call(url, { method: 'HEAD' })).headers.get('ETag') ?? '';
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(await part({ Range: 'bytes=10-19', 'If-Range': etag })).toMatchObject({ status: 206 });
    expect(await part({ Range: 'bytes=10-19', 'If-Range': '"other"' })).toMatchObject({ status: 200, body: page });
    expect(await part({ 'If-None-Match': etag })).toMatchObject({ status: 304 });
  });

  test('tells its size to HEAD', async () => {
    const { status, headers } = await call(url, { method: 'HEAD' });
    expect([status, headers.get('Content-Length'), headers.get('Accept-Ranges')]).toEqual([
      200,
      String(page.length),
      'bytes',
    ]);
  });

  test('breaks off where a fault says so, and the next request goes through', async () => {
    await call('/sandbox/faults', {
      method: 'POST',
      body: JSON.stringify({ match: { path: '/files/' }, afterBytes: 5_000, times: 1 }),
    });
    const cut = await call(url);
    await expect(cut.arrayBuffer()).rejects.toThrow('terminated');
    expect((await part({})).body.equals(page)).toBe(true);
  });

  test('is wrong in one bit, shorter, or another version where a fault says so', async () => {
    const faulty = async (fault: object) => {
      await call('/sandbox/faults', {
        method: 'POST',
        body: JSON.stringify({ match: { path: '/files/' }, times: 1, ...fault }),
      });
      return await call(url);
    };
    const flipped = Buffer.from(await (await faulty({ flipByte: 5_000 })).arrayBuffer());
    expect([...flipped.keys()].filter((at) => flipped[at] !== page[at])).toEqual([5_000]);
    const short = await faulty({ shortBy: 7 });
    expect(Buffer.from(await short.arrayBuffer()).equals(page.subarray(0, -7))).toBe(true);
    expect(short.headers.get('Content-Length')).toBe(String(page.length - 7));
    const other = await faulty({ etag: '"another"' });
    expect([other.headers.get('ETag'), (await other.arrayBuffer()).byteLength]).toEqual(['"another"', page.length]);
    expect((await part({})).body.equals(page)).toBe(true);
  });
});

describe('special courses', () => {
  test('tiny has three files, one in a folder, with Vietnamese names', async () => {
    const { files } = await manifest('tiny');
    expect(files.map(({ path }) => path)).toEqual(['Chào mừng.txt', 'bài 1/ghi chú.bin', 'readme.txt']);
    for (const { url, sha256 } of files) expect(sha256Of(await (await call(`tiny/${url}`)).arrayBuffer())).toBe(sha256);
  });

  test('say how they are protected, or nothing', async () => {
    expect((await manifest('protected')).protection).toBe('drm');
    expect(await manifest('unmarked')).not.toHaveProperty('protection');
  });

  test('bad-checksum has a file of other bytes than it says', async () => {
    const { files } = await manifest('bad-checksum');
    const fits = await Promise.all(
      files.map(
        async ({ url, sha256 }) => sha256Of(await (await call(`bad-checksum/${url}`)).arrayBuffer()) === sha256,
      ),
    );
    expect(fits).toEqual([true, false]);
  });

  test('slow keeps its pace', async () => {
    const { files } = await manifest('slow');
    const startedMs = performance.now();
    const bytes = await (await call(`slow/${files[0]?.url}`)).arrayBuffer();
    // 20,000 bytes at 100,000 a second.
    expect([bytes.byteLength, performance.now() - startedMs > 150]).toEqual([20_000, true]);
  });

  test('answer enrolment: new, again, denied, unknown; always-503 enrols and then stays away', async () => {
    const enrol = async (id: string) => (await call(`${id}/enrolments`, { method: 'POST' })).status;
    const answers = [
      await enrol('tiny'),
      await enrol('tiny'),
      await enrol('denied'),
      await enrol('none'),
      await enrol('always-503'),
    ];
    expect(answers).toEqual([201, 200, 403, 404, 201]);
    expect((await call('always-503/manifest.json')).status).toBe(503);
  });
});

test.each([
  ['', 401],
  ['Bearer wrong!', 403],
])('nothing is given for the token "%s"', async (Authorization, status) => {
  expect((await call('tiny/manifest.json', { headers: { Authorization } })).status).toBe(status);
});
