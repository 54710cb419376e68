import { describe, expect, test } from '@jest/globals';
import { acceptedAt, formatSecretLines, parseSecretLines, rotateLines, usedAt } from './secret-lines.ts';

const at = (text: string): Date => new Date(text);
const NOW = at('2026-01-31T12:00:00Z');
const values = (lines: readonly { value: string }[]): string[] => lines.map(({ value }) => value);

describe('a file', () => {
  test('is read as it is written', () => {
    const text = 'new from=2026-01-31T12:00:10.000Z\nold until=2026-02-01T12:00:00.000Z\n';
    expect(formatSecretLines(parseSecretLines(text))).toBe(text);
    expect(values(parseSecretLines('\n one \n\n two\n'))).toEqual(['one', 'two']);
  });
  test.each([
    '',
    '\n\n',
    'a\nb\nc\nd\ne',
    'a b',
    'a until=tomorrow',
    'a until=2026-02-30T99:00:00Z',
    'a from=x until=y',
  ])('%j is refused, without a word of it', (text) => {
    expect(() => parseSecretLines(text.replaceAll(/\b[a-e]\b/g, 'secretsecret'))).toThrow(RangeError);
    try {
      parseSecretLines(text.replaceAll(/\b[a-e]\b/g, 'secretsecret'));
    } catch (error) {
      expect(String(error)).not.toContain('secretsecret');
    }
  });
});

describe('a rotation', () => {
  const rotated = rotateLines(parseSecretLines('old'), 'new', { now: NOW, overlapMs: 60_000, settleMs: 10_000 });

  test('has both accepted at once, and the new one used once everybody knows it', () => {
    expect(values(acceptedAt(rotated, NOW))).toEqual(['new', 'old']);
    expect(usedAt(rotated, NOW)?.value).toBe('old');
    expect(usedAt(rotated, at('2026-01-31T12:00:09.999Z'))?.value).toBe('old');
    expect(usedAt(rotated, at('2026-01-31T12:00:10Z'))?.value).toBe('new');
  });
  test('ends the old one to the moment', () => {
    expect(values(acceptedAt(rotated, at('2026-01-31T12:00:59.999Z')))).toEqual(['new', 'old']);
    expect(values(acceptedAt(rotated, at('2026-01-31T12:01:00Z')))).toEqual(['new']);
  });
  const later = { overlapMs: 3_600_000, settleMs: 0 };
  test('in the middle of another is refused: what was promised to be good would be dropped', () => {
    const during = { now: at('2026-01-31T12:00:59Z'), ...later };
    expect(() => rotateLines(rotated, 'newer', during)).toThrow('until 2026-01-31T12:01:00.000Z');
    const after = rotateLines(rotated, 'newer', { now: at('2026-01-31T12:01:00Z'), ...later });
    expect(values(after)).toEqual(['newer', 'new']);
  });
  test('that was a mistake is replaced, and what is good beside it stays so', () => {
    const replaced = rotateLines(rotated, 'right', { now: at('2026-01-31T12:00:05Z'), ...later, replace: true });
    expect(replaced).toEqual([{ value: 'right' }, { value: 'old', until: at('2026-01-31T12:01:00Z') }]);
  });
  test('does not take what is there already', () => {
    expect(() => rotateLines(rotated, 'old', { now: NOW, overlapMs: 1, settleMs: 0 })).toThrow(RangeError);
  });
  test('of a secret that is to be used later only uses it when there is nothing else', () => {
    expect(usedAt(parseSecretLines('later from=2027-01-01T00:00:00Z'), NOW)?.value).toBe('later');
    expect(usedAt(parseSecretLines('gone until=2025-01-01T00:00:00Z'), NOW)).toBeUndefined();
  });
});
