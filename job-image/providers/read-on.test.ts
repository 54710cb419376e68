import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { call } from '../http-call.ts';
import { readOn, type Part } from './read-on.ts';

const RETRY = { tries: 3, baseMs: 1, capMs: 2, retryAfterMaxSeconds: 1 };
const dispatcher = new Agent();
let answers: ((response: ServerResponse) => void)[] = [];
let asked: IncomingHttpHeaders[] = [];
const server = createServer((request, response) => {
  asked.push(request.headers);
  const answer = answers.shift();
  if (answer) answer(response);
  else response.writeHead(404).end();
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(async () => {
  await dispatcher.close();
  server.close();
});

async function read(these: typeof answers, more: Partial<Part> = {}): Promise<string> {
  answers = these;
  asked = [];
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/file`);
  const { signal } = new AbortController();
  const part = { url, what: 'file', offset: 0, length: undefined, retry: RETRY, ...more };
  const get = (at: URL, headers: Readonly<Record<string, string>>) =>
    call(at.href, { method: 'GET', dispatcher, headers, signal });
  const pieces: Buffer[] = [];
  for await (const piece of readOn(get, part, signal)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
type Headers = Record<string, string | number>;
/** Sends `text` and ends, or breaks off after it. */
const says =
  (status: number, headers: Headers, text: string, breaks = false) =>
  (response: ServerResponse): void => {
    response.writeHead(status, headers);
    response.write(text, () => void (breaks ? response.destroy() : response.end()));
  };
const FIRST = says(200, { 'content-length': 10 }, 'AAAAA', true);

test('without a tag it goes on when what is known is the same, and not when it is not', async () => {
  expect(await read([FIRST, says(200, { 'content-length': 10 }, 'AAAAABBBBB')])).toBe('AAAAABBBBB');
  await expect(read([FIRST, says(200, { 'content-length': 10 }, 'AAAACBBBBB')])).rejects.toThrow('changed half-way');
  const weak = { 'content-length': 10, etag: 'W/"1"' };
  await expect(read([says(200, weak, 'AAAAA', true), says(200, weak, 'CCCCCCCCCC')])).rejects.toThrow('half-way');
});

test('with a strong tag the rest is asked for under it, and another tag or length is another file', async () => {
  const tagged = { 'content-length': 10, etag: '"1"' };
  const rest = says(206, { 'content-length': 5, 'content-range': 'bytes 5-9/10', etag: '"1"' }, 'BBBBB');
  expect(await read([says(200, tagged, 'AAAAA', true), rest])).toBe('AAAAABBBBB');
  expect(asked[1]).toMatchObject({ range: 'bytes=5-', 'if-range': '"1"' });
  for (const other of [
    says(200, { ...tagged, etag: '"2"' }, 'CCCCCCCCCC'),
    says(206, { 'content-range': 'bytes 5-19/20', etag: '"1"' }, 'BBBBBBBBBBBBBBB'),
  ])
    await expect(read([says(200, tagged, 'AAAAA', true), other])).rejects.toThrow('half-way');
});

test.each<[string, number, Headers]>([
  ['encoded', 200, { 'content-length': 5, 'content-encoding': 'gzip' }],
  ['answered with a page', 200, { 'content-length': 5, 'content-type': 'text/html; charset=utf-8' }],
  ['answered with a page', 200, { 'content-length': 5, 'content-type': 'application/json' }],
  ['without a length', 200, { connection: 'close', 'transfer-encoding': 'identity' }],
  ['without a length', 206, { 'content-range': 'bytes 0-4/*', 'content-length': 5 }],
])('what is %s is refused (%d, %j)', async (problem, status, headers) => {
  await expect(read([says(status, headers, 'AAAAA')])).rejects.toMatchObject({
    reason: 'provider_unavailable',
    message: expect.stringContaining(problem),
  });
});

test('a page is taken where a page is what there should be', async () => {
  const page = says(200, { 'content-length': 5, 'content-type': 'text/html' }, 'AAAAA');
  expect(await read([page], { contentType: 'text/html' })).toBe('AAAAA');
});

test('one that never ends does, at the limit', async () => {
  const five = says(200, { 'content-length': 5 }, 'AAAAA');
  expect(await read([five], { maxBytes: 5 })).toBe('AAAAA');
  await expect(read([five], { maxBytes: 4 })).rejects.toMatchObject({ reason: 'manifest_invalid' });
});
