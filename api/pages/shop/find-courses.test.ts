import { expect, test } from '@jest/globals';
import type { CourseRow } from '../../../sql/courses.ts';
import { COURSES_SHOWN_MAX, findCourses } from './find-courses.ts';

const course = (id: string, title: string): CourseRow => ({
  id,
  title,
  price_vnd: 1,
  provider: 'manifest',
  source: {},
  profile: 'standard',
});
const courses = [course('a', 'Đọc vận đơn đường biển'), course('b', 'Reading a bill'), course('c', 'Sổ tay Debian')];
const ids = (query: string, chosen?: string): string[] => findCourses(courses, query, chosen).shown.map(({ id }) => id);

test.each([
  ['', ['a', 'b', 'c']],
  ['van don', ['a']],
  ['DOC duong', ['a']],
  ['sổ', ['c']],
  ['bill reading', ['b']],
  ['nothing', []],
])('who types %j finds %j', (query, found) => {
  expect(ids(query)).toEqual(found);
});

test('no more are shown than fit a page, and the chosen one is always there', () => {
  const many = Array.from({ length: COURSES_SHOWN_MAX + 5 }, (_, i) => course(`c${i}`, `Course ${i}`));
  const { shown, found } = findCourses(many, '', `c${COURSES_SHOWN_MAX + 2}`);
  expect([shown.length, found]).toEqual([COURSES_SHOWN_MAX, COURSES_SHOWN_MAX + 5]);
  expect(shown.at(-1)?.id).toBe(`c${COURSES_SHOWN_MAX + 2}`);
  expect(ids('nothing', 'b')).toEqual(['b']);
});
