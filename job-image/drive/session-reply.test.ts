import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { confirmedBytes, sessionReply } from './session-reply.ts';

describe('confirmedBytes', () => {
  test('is one more than the last byte', () => {
    fc.assert(fc.property(fc.nat(), (last) => expect(confirmedBytes(`bytes=0-${last}`)).toBe(last + 1)));
  });
  test.each([
    [undefined, 0],
    ['', 0],
    ['bytes=1-5', undefined],
    ['bytes 0-5', undefined],
    ['bytes=0-', undefined],
    ['bytes=0-5,7-9', undefined],
    ['bytes=0--1', undefined],
  ])('%j: %s', (range, bytes) => {
    expect(confirmedBytes(range)).toBe(bytes);
  });
});

test.each([
  [200, undefined, undefined, { kind: 'complete' }],
  [201, undefined, undefined, { kind: 'complete' }],
  [308, 'bytes=0-262143', undefined, { kind: 'confirmed', bytes: 262_144 }],
  [308, undefined, undefined, { kind: 'confirmed', bytes: 0 }],
  [308, 'x', undefined, { kind: 'expired' }],
  [404, undefined, 'notFound', { kind: 'expired' }],
  [410, undefined, undefined, { kind: 'expired' }],
  [400, undefined, 'invalid', { kind: 'expired' }],
  [429, undefined, 'rateLimitExceeded', { kind: 'again' }],
  [403, undefined, 'userRateLimitExceeded', { kind: 'again' }],
  [500, undefined, undefined, { kind: 'again' }],
  [503, undefined, 'backendError', { kind: 'again' }],
  [403, undefined, 'storageQuotaExceeded', { kind: 'end', reason: 'drive_quota' }],
  [403, undefined, 'insufficientFilePermissions', { kind: 'end', reason: 'drive_denied' }],
  [403, undefined, 'appNotAuthorizedToFile', { kind: 'end', reason: 'drive_denied' }],
  [403, undefined, 'domainPolicy', { kind: 'end', reason: 'drive_denied' }],
  [403, undefined, 'quotaExceeded', { kind: 'end', reason: 'drive_quota' }],
  [403, undefined, 'dailyLimitExceeded', { kind: 'end', reason: 'drive_quota' }],
  [403, undefined, 'numChildrenInNonRootLimitExceeded', { kind: 'end', reason: 'drive_quota' }],
  [403, undefined, 'teamDriveFileLimitExceeded', { kind: 'end', reason: 'drive_quota' }],
  [403, undefined, 'sharingRateLimitExceeded', { kind: 'end', reason: 'drive_unavailable' }],
  [403, undefined, 'rateLimitExceeded', { kind: 'again' }],
  [403, undefined, undefined, { kind: 'expired' }],
  [403, undefined, 'someReasonOfTomorrow', { kind: 'expired' }],
  [401, undefined, 'authError', { kind: 'expired' }],
  [502, undefined, undefined, { kind: 'again' }],
  [504, undefined, undefined, { kind: 'again' }],
])('%s %s %s', (status, range, reason, reply) => {
  expect(sessionReply({ status, range, reason })).toEqual(reply);
});
