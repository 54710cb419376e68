import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { startGoogle, type GoogleForTest } from '../sandbox/google/start-google.ts';
import { makeGoogle } from './google.ts';
import { acceptedAccounts, parseServiceAccounts, type ServiceAccount } from './service-accounts.ts';

const before = getCACertificates('default');
let google: GoogleForTest;
beforeAll(async () => {
  google = await startGoogle();
  setDefaultCACertificates([...before, google.ca]);
});
afterAll(async () => {
  setDefaultCACertificates(before);
  await google.stop();
});

const minted = (accounts: ServiceAccount[]): Promise<string> =>
  makeGoogle({
    apiUrl: google.url,
    oauthUrl: google.url,
    accounts: () => accounts,
    nowSeconds: () => Date.now() / 1_000,
  }).mintToken();
const unknown = (): ServiceAccount => ({ ...google.account, client_email: 'not-yet@lading.example' });

test('a key that Google does not know yet is no outage while the one before it is good', async () => {
  const until = new Date(Date.now() + 60_000).toISOString();
  expect(await minted([unknown(), { ...google.account, until }])).not.toBe('');
  await expect(minted([unknown()])).rejects.toThrow(/invalid_grant|account/i);
  const ended = new Date(Date.now() - 1).toISOString();
  await expect(minted([unknown(), { ...google.account, until: ended }])).rejects.toThrow(/invalid_grant|account/i);
});

test('a file holds one key or two, and a wrong one is not shown', () => {
  const one = { client_email: 'a@lading.example', private_key: '-----BEGIN PRIVATE KEY-----' };
  expect(parseServiceAccounts(JSON.stringify(one))).toEqual([one]);
  expect(parseServiceAccounts(JSON.stringify([one, one]))).toHaveLength(2);
  for (const text of ['{', '[]', JSON.stringify([one, one, one]), JSON.stringify({ ...one, private_key: 'hidden' })])
    expect(() => parseServiceAccounts(text)).toThrow(/^is not/);
  expect(acceptedAccounts([{ ...one, until: '2026-01-01T00:00:00Z' }], new Date('2026-01-01T00:00:00Z'))).toEqual([]);
});
