import { expect, test } from '@jest/globals';
import { driveVerdict, isRateLimit, reasonOf } from './verdict.ts';

test.each([
  [200, undefined, 'ok'],
  [204, undefined, 'ok'],
  [308, undefined, 'drive_denied'],
  [400, 'badRequest', 'drive_denied'],
  [401, 'authError', 'drive_unavailable'],
  [403, 'rateLimitExceeded', 'again'],
  [403, 'userRateLimitExceeded', 'again'],
  [403, 'storageQuotaExceeded', 'drive_quota'],
  [403, 'dailyLimitExceeded', 'drive_quota'],
  [403, 'teamDriveFileLimitExceeded', 'drive_quota'],
  [403, 'insufficientFilePermissions', 'drive_denied'],
  [403, 'sharingRateLimitExceeded', 'drive_unavailable'],
  [403, 'quotaExceeded', 'drive_quota'],
  [403, 'numChildrenInNonRootLimitExceeded', 'drive_quota'],
  [403, 'appNotAuthorizedToFile', 'drive_denied'],
  [403, 'domainPolicy', 'drive_denied'],
  [403, 'someReasonOfTomorrow', 'drive_denied'],
  [403, undefined, 'drive_denied'],
  [404, 'notFound', 'drive_denied'],
  [408, undefined, 'again'],
  [429, 'rateLimitExceeded', 'again'],
  [500, undefined, 'again'],
  [502, undefined, 'again'],
  [504, undefined, 'again'],
  [503, 'backendError', 'again'],
])('%s %s: %s', (status, reason, verdict) => {
  expect(driveVerdict(status, reason)).toBe(verdict);
});

test.each([
  ['{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"rateLimitExceeded"}]}}', 'rateLimitExceeded'],
  ['{"error":{"code":403,"errors":[]}}', undefined],
  ['{"error":"invalid_grant"}', undefined],
  ['<html>', undefined],
  ['', undefined],
])('the reason in %s is %s', (body, reason) => {
  expect(reasonOf(body)).toBe(reason);
});

test.each([
  [429, undefined, true],
  [403, 'rateLimitExceeded', true],
  [403, 'userRateLimitExceeded', true],
  [403, 'storageQuotaExceeded', false],
  [403, undefined, false],
  [503, 'backendError', false],
])('%s %s is a limit on the account: %s', (status, reason, isLimit) => {
  expect(isRateLimit(status, reason)).toBe(isLimit);
});
