import { describe, expect, test } from '@jest/globals';
import { API_VERSION_MAX, chooseApiVersion } from './api-version.ts';

describe('the version both speak', () => {
  test.each([
    ['1.41', '1.12', '1.41'],
    ['1.43', undefined, '1.43'],
    ['1.51', '1.44', '1.51'],
    ['1.60', '1.44', API_VERSION_MAX],
    ['1.60', API_VERSION_MAX, API_VERSION_MAX],
    ['2.0', '1.50', API_VERSION_MAX],
  ])('of a daemon that speaks %s down to %s is %s', (ApiVersion, MinAPIVersion, version) => {
    expect(chooseApiVersion({ ApiVersion, MinAPIVersion })).toEqual({ version });
  });

  test.each([
    ['1.40', '1.12', /1\.40 at most, and 1\.41/],
    ['1.9', '1.9', /1\.9 at most/],
    ['1.70', '1.52', /1\.52 at least, and 1\.51/],
    ['', undefined, /none/],
    ['1.41/../..', undefined, /none/],
  ])('of a daemon that speaks %s down to %s is none', (ApiVersion, MinAPIVersion, problem) => {
    expect(chooseApiVersion({ ApiVersion, MinAPIVersion })).toEqual({ problem: expect.stringMatching(problem) });
  });
});
