import { describe, expect, test } from '@jest/globals';
import { olderThan } from './since.ts';

const NOW = new Date('2026-01-31T08:00:00.500Z');

describe('a line is older than', () => {
  test.each([
    ['10m', '2026-01-31T07:50:00.499999999Z', true],
    ['10m', '2026-01-31T07:50:00.500000000Z', false],
    ['1.5h', '2026-01-31T06:30:00.400000000Z', true],
    ['90s', '2026-01-31T07:58:30.5Z', false],
    ['2d', '2026-01-29T08:00:00Z', true],
    ['2026-01-31T08:00:00.000000002Z', '2026-01-31T08:00:00.000000001Z', true],
    ['2026-01-31T08:00:00.000000002Z', '2026-01-31T08:00:00.000000002Z', false],
    ['2026-01-31T08:00:00.1Z', '2026-01-31T08:00:00.09Z', true],
    ['2026-01-31T15:00:00+07:00', '2026-01-31T07:59:59.999999999Z', true],
    ['2026-01-31T15:00:00+07:00', '2026-01-31T08:00:00Z', false],
    ['2026-01-31', '2026-01-30T23:59:59.9Z', true],
  ])('%s: %s is %s', (since, at, older) => {
    expect(olderThan(since, NOW)(at)).toBe(older);
  });

  test.each(['', 'yesterday', '10', '10 m', '-5m', '2026-13-01T00:00:00Z', '1e400d', `${'9'.repeat(20)}d`])(
    '%j is refused',
    (since) => {
      expect(() => olderThan(since, NOW)).toThrow(/--since/);
    },
  );
});
