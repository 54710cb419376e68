import { describe, expect, test } from '@jest/globals';
import { courseEntry, rowsOf } from './course-entry.ts';

const course = {
  id: 'handbook',
  title: 'The handbook',
  priceVnd: 499_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/handbook.json', bearer: 'provider' },
};
const rights = { kind: 'open', evidence: 'https://licence.example/handbook' };

describe('a course entry', () => {
  test('becomes rows, with what is not said filled in', () => {
    expect(rowsOf(courseEntry.parse({ ...course, rights }), 'an operator')).toEqual({
      course: {
        id: 'handbook',
        title: 'The handbook',
        price_vnd: 499_000,
        provider: 'manifest',
        source: course.source,
        profile: 'standard',
        folder: 'personal',
        priority: 0,
        listed: true,
      },
      rights: { ...rights, recordedBy: 'an operator' },
    });
    expect(rowsOf(courseEntry.parse(course), 'an operator').rights).toBeUndefined();
  });

  test.each([
    [{ id: 'Hand Book' }, /id/],
    [{ title: 'a\0' }, /title/],
    [{ title: '\ud800' }, /title/],
    [{ title: 'x'.repeat(201) }, /title/],
    [{ priceVnd: 999 }, /priceVnd/],
    [{ priceVnd: 1000.5 }, /priceVnd/],
    [{ priority: 11 }, /priority/],
    [{ provider: 'other' }, /provider/],
    [{ source: { manifestUrl: 'http://provider.example' } }, /manifestUrl/],
    [{ source: { ...course.source, token: 'secret' } }, /source/],
    [{ source: { ...course.source, bearer: 'ey.secret.token' } }, /bearer/],
    [{ rights: { ...rights, kind: 'found' } }, /kind/],
    [{ rights: { ...rights, evidence: 'trust me' } }, /evidence/],
    [{ rights: { ...rights, evidence: 'https://a\0' } }, /evidence/],
    [{ colour: 'red' }, /colour/],
  ])('is refused with %j', (changes, message) => {
    expect(() => courseEntry.parse({ ...course, ...changes })).toThrow(message);
  });
});
