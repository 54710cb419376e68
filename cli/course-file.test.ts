import { describe, expect, test } from '@jest/globals';
import { parseCourseFile } from './course-file.ts';

const course = {
  id: 'handbook',
  title: 'The handbook',
  priceVnd: 499_000,
  provider: 'manifest',
  source: { manifestUrl: 'https://provider.example/handbook.json', bearer: 'provider' },
};
const rights = { kind: 'open', evidence: 'https://licence.example/handbook', recordedBy: 'operator' };

describe('parseCourseFile', () => {
  test('reads one course or several', () => {
    const entry = {
      course: {
        id: 'handbook',
        title: 'The handbook',
        price_vnd: 499_000,
        provider: 'manifest',
        source: course.source,
        profile: 'standard',
        folder: 'personal',
      },
      rights,
    };
    expect(parseCourseFile(JSON.stringify({ ...course, rights }))).toEqual([entry]);
    expect(parseCourseFile(JSON.stringify([{ ...course, rights }, course]))).toEqual([
      entry,
      { ...entry, rights: undefined },
    ]);
  });

  test.each([
    [{ id: 'Hand Book' }, /id/],
    [{ priceVnd: 999 }, /priceVnd/],
    [{ priceVnd: 1000.5 }, /priceVnd/],
    [{ provider: 'other' }, /provider/],
    [{ source: { manifestUrl: 'http://provider.example' } }, /manifestUrl/],
    [{ source: { ...course.source, token: 'secret' } }, /source/],
    [{ source: { ...course.source, bearer: 'ey.secret.token' } }, /bearer/],
    [{ rights: { ...rights, kind: 'found' } }, /kind/],
    [{ rights: { ...rights, evidence: 'trust me' } }, /evidence/],
    [{ colour: 'red' }, /colour/],
  ])('refuses %j', (changes, message) => {
    expect(() => parseCourseFile(JSON.stringify({ ...course, ...changes }))).toThrow(message);
  });

  test.each(['', '[]', 'null', '{'])('refuses %j', (text) => {
    expect(() => parseCourseFile(text)).toThrow(Error);
  });
});
