import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  BANK,
  COURSE,
  countRows,
  placeTestOrder,
  postOrder,
  startTestApi,
  TOKEN_KEY,
  type OrderAnswer,
  type TestApi,
} from '../test-setup.ts';
import { mintStatusToken } from './status-token.ts';
import { vietQrPayload } from './vietqr.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

const statuses = (responses: Response[]): number[] =>
  responses.map((response) => response.status).toSorted((a, b) => a - b);
const wish = { courseId: COURSE.id, email: 'Reader@Mail.Example' };

describe('GET /v1/courses', () => {
  test('lists what can be ordered, and nothing without a rights record', async () => {
    const response = await fetch(`${api.url}/v1/courses`);
    expect(await response.json()).toEqual({ courses: [{ id: COURSE.id, title: COURSE.title, priceVnd: 499_000 }] });
  });
});

describe('POST /v1/orders', () => {
  test('writes an order and says how to pay it', async () => {
    const response = await postOrder(api, wish);
    const answer = (await response.json()) as OrderAnswer;
    expect(response.status).toBe(201);
    expect(answer).toEqual({
      code: expect.stringMatching(/^LD[2-9A-HJKMNP-TW-Z]{10}$/),
      status: 'pending',
      amountVnd: 499_000,
      courseId: COURSE.id,
      courseTitle: COURSE.title,
      bank: BANK,
      transferContent: answer.code,
      qr: {
        payload: vietQrPayload(BANK, 499_000, answer.code),
        svgUrl: `https://api.example/v1/orders/${answer.token}/qr.svg`,
        pngUrl: `https://api.example/v1/orders/${answer.token}/qr.png`,
      },
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      statusUrl: `https://api.example/v1/orders/${answer.token}`,
      pageUrl: `https://api.example/o/${answer.token}`,
      token: expect.stringMatching(/^[\w-]{43}$/),
    });
    const { rows } = await api.auditor.query('SELECT email FROM orders WHERE code = $1', [answer.code]);
    expect(rows).toEqual([{ email: 'Reader@mail.example' }]);
  });

  test('answers the same key and the same wish with the same bytes, once more written nothing', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const first = await postOrder(api, wish, key);
    const before = await countRows(api);
    const again = await postOrder(api, { email: ' Reader@MAIL.example ', courseId: COURSE.id }, key);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(await again.text()).toBe(await first.text());
    expect(await countRows(api)).toEqual(before);
  });

  test('writes one order for twenty requests at once with one key', async () => {
    const before = await countRows(api);
    const key = { 'Idempotency-Key': randomUUID() };
    const responses = await Promise.all(Array.from({ length: 20 }, () => postOrder(api, wish, key)));
    const bodies = await Promise.all(responses.map((response) => response.text()));
    expect(statuses(responses)).toEqual([...Array(19).fill(200), 201]);
    expect(new Set(bodies).size).toBe(1);
    expect(await countRows(api)).toEqual({ ...before, orders: (before['orders'] ?? 0) + 1 });
  });

  test('of two wishes at once with one key refuses the later one', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const other = { ...wish, email: 'other@mail.example' };
    const responses = await Promise.all([postOrder(api, wish, key), postOrder(api, other, key)]);
    expect(statuses(responses)).toEqual([201, 422]);
  });

  const key = { 'Idempotency-Key': 'a-key-that-is-used-once' };
  test.each([
    ['no key', wish, {}, 400, 'idempotency_key_invalid'],
    ['a short key', wish, { 'Idempotency-Key': 'x'.repeat(15) }, 400, 'idempotency_key_invalid'],
    ['a long key', wish, { 'Idempotency-Key': 'x'.repeat(129) }, 400, 'idempotency_key_invalid'],
    ['a key with a space', wish, { 'Idempotency-Key': `${'x'.repeat(16)} x` }, 400, 'idempotency_key_invalid'],
    ['an empty body', '', key, 400, 'json_invalid'],
    ['half a body', '{"courseId":', key, 400, 'json_invalid'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), key, 400, 'json_invalid'],
    ['a form', 'courseId=handbook', { ...key, 'Content-Type': 'text/plain' }, 415, 'media_type_unsupported'],
    ['a compressed body', '{}', { ...key, 'Content-Encoding': 'gzip' }, 415, 'media_type_unsupported'],
    ['a large body', JSON.stringify({ ...wish, pad: 'x'.repeat(17_000) }), key, 413, 'body_too_large'],
    ['an array', [wish], key, 422, 'request_invalid'],
    ['null', null, key, 422, 'request_invalid'],
    ['no course', { email: wish.email }, key, 422, 'request_invalid'],
    ['a strange course', { ...wish, courseId: 'x\0' }, key, 422, 'request_invalid'],
    ['an unknown field', { ...wish, amountVnd: 1 }, key, 422, 'request_invalid'],
    [
      'an e-mail with a header in it',
      { ...wish, email: 'a@mail.example\r\nBcc: b@c.example' },
      key,
      422,
      'request_invalid',
    ],
    ['an e-mail with diacritics', { ...wish, email: 'độc@mail.example' }, key, 422, 'request_invalid'],
    ['an unknown course', { ...wish, courseId: 'unheard-of' }, key, 404, 'course_unknown'],
    ['a course without rights', { ...wish, courseId: 'unlicensed' }, key, 409, 'course_not_orderable'],
  ] as const)('refuses %s and writes nothing', async (_, body, headers, status, code) => {
    const before = await countRows(api);
    const response = await postOrder(api, body, headers);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await response.json()).toMatchObject({ status, code, type: `urn:lading:problem:${code}` });
    expect(response.status).toBe(status);
    expect(await countRows(api)).toEqual(before);
  });

  test('refuses a key that was used for another wish', async () => {
    const used = { 'Idempotency-Key': randomUUID() };
    await postOrder(api, wish, used);
    const before = await countRows(api);
    const response = await postOrder(api, { ...wish, email: 'other@mail.example' }, used);
    expect(await response.json()).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    expect(await countRows(api)).toEqual(before);
  });

  test('names the wrong field', async () => {
    const response = await postOrder(api, { ...wish, email: 'nobody' });
    expect(await response.json()).toMatchObject({ errors: [{ field: 'email', message: expect.any(String) }] });
  });

  test('the database itself refuses an order of a course without rights', async () => {
    const written = api.pool.query(
      `INSERT INTO orders (code, course_id, email, amount_vnd, idempotency_key_digest, request_digest, expires_at)
       VALUES ('LD2222222222', 'unlicensed', 'a@mail.example', 1, sha256('a'), sha256('b'), now() + interval '1 hour')`,
    );
    await expect(written).rejects.toMatchObject({ code: '23503' });
  });
});

describe('GET /v1/orders/:token', () => {
  test('shows a pending order', async () => {
    const { code, token } = await placeTestOrder(api);
    const response = await fetch(`${api.url}/v1/orders/${token}`);
    expect(await response.json()).toEqual({
      code,
      status: 'pending',
      course: { id: COURSE.id, title: COURSE.title },
      amountVnd: 499_000,
      paidVnd: 0,
      leftVnd: 499_000,
      unplaced: [],
      bank: { ...BANK, name: 'MB Bank' },
      transferContent: code,
      qr: {
        payload: vietQrPayload(BANK, 499_000, code),
        svgUrl: `https://api.example/v1/orders/${token}/qr.svg`,
        pngUrl: `https://api.example/v1/orders/${token}/qr.png`,
      },
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
      queue: null,
      attempts: 0,
      progress: null,
    });
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('has the code as pictures', async () => {
    const { token } = await placeTestOrder(api);
    const svg = await fetch(`${api.url}/v1/orders/${token}/qr.svg`);
    const png = await fetch(`${api.url}/v1/orders/${token}/qr.png`);
    expect([svg.headers.get('content-type'), png.headers.get('content-type')]).toEqual(['image/svg+xml', 'image/png']);
    expect(await svg.text()).toMatch(/^<svg/);
    expect(
      Buffer.from(await png.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
  });

  test.each([
    ['a word', 'nothing'],
    ['an order that is not there', mintStatusToken(TOKEN_KEY, randomUUID())],
    ['a foreign signature', mintStatusToken(Buffer.alloc(32, 9), randomUUID())],
    ['bad encoding', '%E0%A4%A'],
  ])('knows nothing of %s', async (_, token) => {
    for (const path of [token, `${token}/qr.svg`, `${token}/qr.png`]) {
      const response = await fetch(`${api.url}/v1/orders/${path}`);
      expect(await response.json()).toMatchObject({ status: 404, code: 'order_unknown' });
    }
  });
});

test('too many orders from one address are refused, and told when to come back', async () => {
  const strict = await startTestApi({ ordersPerMinute: 2 });
  try {
    await placeTestOrder(strict);
    await placeTestOrder(strict);
    const response = await postOrder(strict, wish);
    expect(await response.json()).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  } finally {
    await strict.stop();
  }
});

test('too many orders for one e-mail address are refused, however it is spelled, and others are not', async () => {
  const strict = await startTestApi({ ordersPerEmailPerHour: 2 });
  try {
    const order = (email: string): Promise<Response> => postOrder(strict, { courseId: COURSE.id, email });
    for (const email of ['reader@mail.example', 'READER@mail.example']) expect((await order(email)).status).toBe(201);
    const refused = await order(' reader@Mail.example');
    expect(await refused.json()).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
    expect((await order('another@mail.example')).status).toBe(201);
    const { rows } = await strict.database
      .poolFor('lading_owner')
      .query<{ key: string }>('SELECT key FROM rate_limits');
    expect(JSON.stringify(rows)).not.toContain('mail.example');
  } finally {
    await strict.stop();
  }
});
