import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { rejectionOf, type SepayAuth } from './sepay-signature.ts';

const SIGNED_AT = 1_767_225_600;
const BODY = Buffer.from(
  '{"id":92704,"gateway":"MBBank","transactionDate":"2026-01-01 07:00:00","accountNumber":"0123456789","subAccount":null,"code":"UDK7P2QX9M","content":"UDK7P2QX9M","transferType":"in","description":"BankAPINotify UDK7P2QX9M","transferAmount":499000,"accumulated":0,"referenceCode":"FT26001000001"}',
);
const SIGNATURE = 'sha256=7ff58e0f8766a6358783200833d56595198ff49d2701a4e568f56a8be8522342';
const genuine = { signature: SIGNATURE, timestamp: String(SIGNED_AT) };
const HMAC: SepayAuth = { mode: 'hmac', secrets: ['whsec_test_secret'] };
const API_KEY: SepayAuth = { mode: 'apikey', keys: ['a-long-enough-api-key'] };

describe('HMAC mode', () => {
  test('takes the known vector', () => {
    expect(rejectionOf(HMAC, genuine, BODY, SIGNED_AT)).toBeUndefined();
  });

  test('takes the previous secret while it is being replaced', () => {
    const rotated: SepayAuth = { mode: 'hmac', secrets: ['whsec_of_tomorrow', 'whsec_test_secret'] };
    expect(rejectionOf(rotated, genuine, BODY, SIGNED_AT)).toBeUndefined();
  });

  test.each([-300, 300])('takes a clock that differs by %d seconds', (seconds) => {
    expect(rejectionOf(HMAC, genuine, BODY, SIGNED_AT + seconds)).toBeUndefined();
  });

  test.each([-301, 301, 86_400])('refuses a clock that differs by %d seconds', (seconds) => {
    expect(rejectionOf(HMAC, genuine, BODY, SIGNED_AT + seconds)).toBe('timestamp_out_of_window');
  });

  test('refuses each single changed byte of the body', () => {
    for (const at of BODY.keys()) {
      const tampered = Buffer.from(BODY);
      tampered[at] = (tampered[at] ?? 0) ^ 1;
      expect(rejectionOf(HMAC, genuine, tampered, SIGNED_AT)).toBe('signature_wrong');
    }
  });

  test('refuses bytes that are the same text only after decoding', () => {
    const signed = Buffer.from('{"content":"\uFFFD"}');
    const sent = Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const mac = createHmac('sha256', 'whsec_test_secret').update(`${SIGNED_AT}.`).update(signed).digest('hex');
    const headers = { signature: `sha256=${mac}`, timestamp: String(SIGNED_AT) };
    expect(rejectionOf(HMAC, headers, signed, SIGNED_AT)).toBeUndefined();
    expect(rejectionOf(HMAC, headers, sent, SIGNED_AT)).toBe('signature_wrong');
  });

  test.each([
    [{}, 'signature_missing'],
    [{ timestamp: genuine.timestamp }, 'signature_missing'],
    [{ signature: SIGNATURE }, 'signature_missing'],
    [{ ...genuine, signature: SIGNATURE.slice('sha256='.length) }, 'signature_missing'],
    [{ ...genuine, signature: SIGNATURE.slice(0, -1) }, 'signature_missing'],
    [{ ...genuine, signature: `sha256=${'0'.repeat(64)}` }, 'signature_wrong'],
    [{ ...genuine, timestamp: String(SIGNED_AT + 1) }, 'signature_wrong'],
    [{ ...genuine, timestamp: '1e9' }, 'timestamp_malformed'],
    [{ ...genuine, timestamp: `${SIGNED_AT}.0` }, 'timestamp_malformed'],
    [{ ...genuine, timestamp: '' }, 'timestamp_malformed'],
    [{ authorization: 'Apikey a-long-enough-api-key' }, 'signature_missing'],
  ] as const)('refuses headers %j: %s', (headers, reason) => {
    expect(rejectionOf(HMAC, headers, BODY, SIGNED_AT)).toBe(reason);
  });
});

describe('API key mode', () => {
  test.each(['Apikey a-long-enough-api-key', 'apikey a-long-enough-api-key'])('takes %j', (authorization) => {
    expect(rejectionOf(API_KEY, { authorization }, BODY, SIGNED_AT)).toBeUndefined();
  });

  test.each([
    [{}, 'api_key_missing'],
    [{ authorization: 'Bearer a-long-enough-api-key' }, 'api_key_missing'],
    [{ authorization: 'a-long-enough-api-key' }, 'api_key_missing'],
    [{ authorization: 'Apikey ' }, 'api_key_missing'],
    [{ authorization: 'Apikey a-long-enough-api-kez' }, 'api_key_wrong'],
    [{ authorization: 'Apikey a-long-enough-api-keyy' }, 'api_key_wrong'],
    [{ authorization: 'Apikey a' }, 'api_key_wrong'],
    [genuine, 'api_key_missing'],
  ] as const)('refuses headers %j: %s', (headers, reason) => {
    expect(rejectionOf(API_KEY, headers, BODY, SIGNED_AT)).toBe(reason);
  });
});
