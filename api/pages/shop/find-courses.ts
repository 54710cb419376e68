import type { CourseRow } from '../../../sql/courses.ts';

export const COURSES_SHOWN_MAX = 100;
export const QUERY_MAX_CHARS = 100;

/** As people type on a phone: without accents, in any case. */
const plain = (text: string): string =>
  text.normalize('NFD').replaceAll(/\p{M}/gu, '').replaceAll(/đ/gi, 'd').toLowerCase();

/** The courses whose title has every word of `query`. The chosen one is always among those shown. */
export function findCourses(
  courses: readonly CourseRow[],
  query: string,
  chosen: string | undefined,
): { shown: CourseRow[]; found: number } {
  const words = plain(query.slice(0, QUERY_MAX_CHARS)).split(/\s+/).filter(Boolean);
  const found = courses.filter(({ title }) => {
    const within = plain(title);
    return words.every((word) => within.includes(word));
  });
  const shown = found.slice(0, COURSES_SHOWN_MAX);
  const picked = courses.find(({ id }) => id === chosen);
  if (picked && !shown.includes(picked)) shown.splice(-1, shown.length < COURSES_SHOWN_MAX ? 0 : 1, picked);
  return { shown, found: found.length };
}
