/** Which webhooks are SePay's: what is not is refused, and nothing of it is written. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { countRows, placeTestOrder, SECRETS, startTestApi, type TestApi } from '../test-setup.ts';
import { allowSenders } from './senders.ts';
import { postWebhook, sepayEvent, signedBySepay, unixNow } from './test-webhook.ts';

let api: TestApi;
beforeAll(async () => (api = await startTestApi()));
afterAll(() => api.stop());

describe('a webhook is refused, and nothing written,', () => {
  const body = JSON.stringify(sepayEvent({ content: 'LD9999999999' }));
  const tampered = body.replace('499000', '999000');
  const large = JSON.stringify(sepayEvent({ content: 'x'.repeat(17_000) }));
  test.each([
    ['without a signature', body, {}, 401, 'webhook_not_authentic'],
    ['with a foreign secret', body, signedBySepay(body, 'whsec_of_somebody'), 401, 'webhook_not_authentic'],
    ['signed too long ago', body, signedBySepay(body, SECRETS[0], unixNow() - 310), 401, 'webhook_not_authentic'],
    ['signed in the future', body, signedBySepay(body, SECRETS[0], unixNow() + 310), 401, 'webhook_not_authentic'],
    ['with changed bytes', tampered, signedBySepay(body), 401, 'webhook_not_authentic'],
    ['with another space', `${body} `, signedBySepay(body), 401, 'webhook_not_authentic'],
    [
      'with an API key where HMAC is set up',
      body,
      { Authorization: `Apikey ${SECRETS[0]}` },
      401,
      'webhook_not_authentic',
    ],
    ['when it is too large', large, signedBySepay(large), 413, 'body_too_large'],
    ['when it is empty and unsigned', '', {}, 401, 'webhook_not_authentic'],
  ])('%s', async (_, sent, headers, status, code) => {
    const before = await countRows(api);
    const response = await postWebhook(api, sent, headers);
    expect(await response.json()).toMatchObject({ status, code });
    expect(await countRows(api)).toEqual(before);
  });
});

describe('with a list of senders', () => {
  let guarded: TestApi;
  beforeAll(
    async () => (guarded = await startTestApi({ isSepaySender: allowSenders(['192.0.2.0/24']), trustedProxies: 1 })),
  );
  afterAll(() => guarded.stop());

  test.each([
    ['a listed one', '192.0.2.7', 200],
    ['a listed one that says it came through others', '203.0.113.9, 192.0.2.7', 200],
    ['a foreign one', '203.0.113.9', 401],
    ['a foreign one that claims a listed address', '192.0.2.7, 203.0.113.9', 401],
    ['nonsense', 'unknown', 401],
  ])('%s', async (_, forwarded, status) => {
    const body = JSON.stringify(sepayEvent());
    const headers = { ...signedBySepay(body), 'X-Forwarded-For': forwarded };
    expect((await postWebhook(guarded, body, headers)).status).toBe(status);
  });

  test('the header is not believed without a proxy of ours', async () => {
    const direct = await startTestApi({ isSepaySender: allowSenders(['192.0.2.7']) });
    try {
      const body = JSON.stringify(sepayEvent());
      const headers = { ...signedBySepay(body), 'X-Forwarded-For': '192.0.2.7' };
      expect((await postWebhook(direct, body, headers)).status).toBe(401);
    } finally {
      await direct.stop();
    }
  });
});

test('the previous secret still opens', async () => {
  const body = JSON.stringify(sepayEvent());
  const response = await postWebhook(api, body, signedBySepay(body, SECRETS[1]));
  expect(await response.text()).toBe('{"success":true}');
});

test('an installation with an API key takes it, and nothing else', async () => {
  const key = randomUUID();
  const keyed = await startTestApi({ sepayAuth: { mode: 'apikey', keys: [key] } });
  try {
    const order = await placeTestOrder(keyed);
    const body = JSON.stringify(sepayEvent({ content: order.code }));
    expect((await postWebhook(keyed, body)).status).toBe(401);
    expect((await postWebhook(keyed, body, { Authorization: `Apikey ${key}x` })).status).toBe(401);
    expect(await countRows(keyed)).toMatchObject({ payment_events: 0, jobs: 0 });
    const response = await postWebhook(keyed, body, { Authorization: `Apikey ${key}` });
    expect(await response.text()).toBe('{"success":true}');
    expect(await countRows(keyed)).toMatchObject({ payment_events: 1, jobs: 1 });
  } finally {
    await keyed.stop();
  }
});
