import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { serve } from '../serve.ts';
import { makeSePay } from './app.ts';
import { RETRY_PAUSES_MINUTES } from './judge.ts';
import { sePaySignature, type WebhookAuth } from './sign.ts';
import { vietnamTime } from './transfer.ts';

const SECRET = 'whsec_test_secret';
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

type Answer = { status: number; body: string };
type Received = { headers: IncomingHttpHeaders; body: string };

/** A receiver of webhooks that gives these answers in turn, the last one again and again. */
async function receiver(answers: Answer[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const answer = answers[Math.min(received.length, answers.length - 1)];
      received.push({ headers: request.headers, body });
      response.writeHead(answer?.status ?? 500).end(answer?.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { received, url: `http://localhost:${(server.address() as AddressInfo).port}/hook` };
}

async function sepay(webhookUrl: string, more: { auth?: WebhookAuth; retryScale?: number } = {}) {
  const stopping = new AbortController();
  const { url, stop } = await serve({
    host: '127.0.0.1',
    port: 0,
    handler: () =>
      makeSePay({
        webhookUrl,
        auth: more.auth ?? { mode: 'hmac', secret: SECRET },
        retryScale: more.retryScale,
        codePattern: /KH[0-9A-Z]{8}/i,
        stop: stopping.signal,
        log: pino({ level: 'silent' }),
      }),
  });
  undo.push(async () => {
    stopping.abort();
    await stop();
  });
  const post = async (path: string, body: object = {}) =>
    (await (await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })).json()) as Record<string, unknown>;
  return {
    transfer: async (body: object, query = '') => await post(`/sandbox/transfers${query}`, body),
    redeliver: async (id: unknown) => await post(`/sandbox/transfers/${String(id)}/redeliver`),
  };
}

const TRANSFER = { accountNumber: '0123456789', amount: 499_000, content: 'KH23456789 chuyen tien' };
const OK = { status: 200, body: '{"success":true}' };

test('the signature is the one of the known example', () => {
  const body =
    '{"id":92704,"gateway":"MBBank","transactionDate":"2026-01-01 07:00:00","accountNumber":"0123456789","subAccount":null,"code":"UDK7P2QX9M","content":"UDK7P2QX9M","transferType":"in","description":"BankAPINotify UDK7P2QX9M","transferAmount":499000,"accumulated":0,"referenceCode":"FT26001000001"}';
  expect(sePaySignature(SECRET, 1_767_225_600, body)).toBe(
    'sha256=7ff58e0f8766a6358783200833d56595198ff49d2701a4e568f56a8be8522342',
  );
});

test("Vietnam's time carries no zone and is seven hours ahead", () => {
  expect(vietnamTime(new Date('2025-12-31T17:00:01Z'))).toBe('2026-01-01 00:00:01');
});

describe('a webhook', () => {
  test('is signed over the bytes that were sent, with the time of the attempt', async () => {
    const { received, url } = await receiver([OK]);
    const result = await (await sepay(url)).transfer(TRANSFER);
    expect(result).toEqual({ id: 92_704, delivered: true, attempts: 1, status: 200, body: OK.body });
    const { headers, body } = received[0] ?? { headers: {}, body: '' };
    const timestamp = String(headers['x-sepay-timestamp']);
    const mac = createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex');
    expect(headers['x-sepay-signature']).toBe(`sha256=${mac}`);
    expect(Math.abs(Number(timestamp) - Date.now() / 1_000)).toBeLessThan(60);
    expect(JSON.parse(body)).toMatchObject({
      id: 92_704,
      transferAmount: 499_000,
      transferType: 'in',
      code: 'KH23456789',
      description: 'BankAPINotify KH23456789 chuyen tien',
    });
  });

  test('carries an API key in that mode', async () => {
    const { received, url } = await receiver([OK]);
    await (await sepay(url, { auth: { mode: 'apikey', key: 'k1' } })).transfer(TRANSFER);
    expect(received[0]?.headers.authorization).toBe('Apikey k1');
    expect(received[0]?.headers).not.toHaveProperty('x-sepay-signature');
  });

  test.each([
    ['200 with success', OK, true],
    ['201 with success', { status: 201, body: '{"success":true,"x":1}' }, true],
    ['200 without success', { status: 200, body: '{"ok":true}' }, false],
    ['204', { status: 204, body: '' }, false],
    ['500 with success', { status: 500, body: '{"success":true}' }, false],
  ])('answered %s: delivered is %p', async (_, answer, delivered) => {
    const { url } = await receiver([answer]);
    expect((await (await sepay(url)).transfer(TRANSFER))['delivered']).toBe(delivered);
  });

  test('is sent again after 5xx until it is taken', async () => {
    const { url } = await receiver([{ status: 500, body: '' }, { status: 503, body: '' }, OK]);
    const result = await (await sepay(url, { retryScale: 1e-5 })).transfer(TRANSFER, '?wait=end');
    expect(result).toMatchObject({ delivered: true, attempts: 3 });
  });

  test('is given up after eight attempts, also where nobody listens', async () => {
    const gone = await receiver([OK]);
    for (const step of undo.splice(0)) await step();
    const result = await (await sepay(gone.url, { retryScale: 1e-6 })).transfer(TRANSFER, '?wait=end');
    expect(result).toMatchObject({ delivered: false, attempts: RETRY_PAUSES_MINUTES.length + 1, status: null });
  });

  test('with a 200 that does not say success is not sent again', async () => {
    const { url } = await receiver([{ status: 200, body: 'ok' }, OK]);
    const result = await (await sepay(url, { retryScale: 1e-6 })).transfer(TRANSFER, '?wait=end');
    expect(result).toMatchObject({ delivered: false, attempts: 1 });
  });

  test('keeps its id and body when it is delivered again', async () => {
    const { received, url } = await receiver([OK]);
    const { transfer, redeliver } = await sepay(url);
    const { id } = await transfer(TRANSFER);
    expect(await redeliver(id)).toMatchObject({ id, delivered: true, attempts: 2 });
    expect(received[1]?.body).toBe(received[0]?.body);
  });
});
