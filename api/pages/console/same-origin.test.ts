import { expect, test } from '@jest/globals';
import { isFromOurPage, type Sent } from './same-origin.ts';

const PUBLIC_URL = 'https://lading.example';
const sent = (changes: Partial<Sent>): Sent => ({ site: '', origin: '', host: 'lading.example', ...changes });

test.each<[string, Partial<Sent>, boolean]>([
  ['our page', { site: 'same-origin', origin: PUBLIC_URL }, true],
  ['our page, whose origin is kept from us', { site: 'same-origin', origin: 'null' }, true],
  ['another page of the same domain', { site: 'same-site', origin: 'https://blog.lading.example' }, false],
  ['another site', { site: 'cross-site', origin: 'https://evil.example' }, false],
  ['another site that claims our origin', { site: 'cross-site', origin: PUBLIC_URL }, false],
  ['typed into the address bar', { site: 'none' }, false],
  ['an old browser, by the origin', { origin: PUBLIC_URL }, true],
  ['behind a proxy that changes the host', { origin: PUBLIC_URL, host: '10.0.0.5:8080' }, true],
  ['on a plain network, by the host', { origin: 'http://10.0.0.5:8080', host: '10.0.0.5:8080' }, true],
  ['an old browser, from elsewhere', { origin: 'https://evil.example' }, false],
  ['an origin that is no address', { origin: 'null' }, false],
  ['nobody says anything', {}, false],
])('a form from %s', (_, given, expected) => {
  expect(isFromOurPage(sent(given), PUBLIC_URL)).toBe(expected);
});
