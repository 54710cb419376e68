import { readFileSync } from 'node:fs';
import { listCourses, putCourse } from '../sql/courses.ts';
import { inTransaction, type Pool } from '../sql/pool.ts';
import { parseCourseFile } from './course-file.ts';
import { json, table } from './print.ts';

/** All courses of the file, or none. A rights record that is there stays when the file has none. */
export async function putCourses(pool: Pool, path: string): Promise<string> {
  const entries = parseCourseFile(readFileSync(path, 'utf8'));
  await inTransaction(pool, async (db) => {
    for (const { course, rights } of entries) await putCourse(db, course, rights);
  });
  return entries
    .map(({ course, rights }) => `${course.id}${rights ? '' : ' (no rights record in the file)'}\n`)
    .join('');
}

/** The courses that can be ordered. */
export async function showCourses(pool: Pool, asJson: boolean): Promise<string> {
  const courses = await listCourses(pool);
  return asJson ? json(courses) : table(courses, ['id', 'title', 'price_vnd', 'provider', 'profile', 'folder']);
}
