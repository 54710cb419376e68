import { maybeOne, type Database } from './pool.ts';

export type RightsKind = 'own' | 'licensed' | 'open';
/** Where a course's files come from. */
export const PROVIDER_NAMES = ['manifest', 'hls', 'udemy'] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];
/** One folder in Drive an order, or one for all orders of the course. */
export const FOLDER_MODES = ['personal', 'shared'] as const;
export type FolderMode = (typeof FOLDER_MODES)[number];

export type CourseRow = {
  id: string;
  title: string;
  price_vnd: number;
  provider: ProviderName;
  source: unknown;
  profile: string;
  /** Absent: `personal`. */
  folder?: FolderMode;
};
export type RightsRecord = { kind: RightsKind; evidence: string; recordedBy: string };

/** The courses a customer may order: listed, and with a rights record. */
export async function listCourses(db: Database): Promise<CourseRow[]> {
  const { rows } = await db.query<CourseRow>(
    `SELECT c.id, c.title, c.price_vnd, c.provider, c.source, c.profile, c.folder
     FROM courses c JOIN course_rights r ON r.course_id = c.id
     WHERE c.listed ORDER BY c.title, c.id LIMIT 1000`,
  );
  return rows;
}

export const findCourse = (db: Database, id: string): Promise<CourseRow | undefined> =>
  maybeOne<CourseRow>(
    db,
    'SELECT id, title, price_vnd, provider, source, profile, folder FROM courses WHERE id = $1::text',
    [id],
  );

/** Makes or renews a catalogue entry. Without `rights` the course exists but cannot be ordered. */
export async function putCourse(db: Database, course: CourseRow, rights: RightsRecord | undefined): Promise<void> {
  await db.query(
    `INSERT INTO courses (id, title, price_vnd, provider, source, profile, folder)
     VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::jsonb, $6::text, $7::text)
     ON CONFLICT (id) DO UPDATE SET title = excluded.title, price_vnd = excluded.price_vnd,
       provider = excluded.provider, source = excluded.source, profile = excluded.profile,
       folder = excluded.folder, updated_at = now()`,
    [
      course.id,
      course.title,
      course.price_vnd,
      course.provider,
      JSON.stringify(course.source),
      course.profile,
      course.folder ?? 'personal',
    ],
  );
  if (rights)
    await db.query(
      `INSERT INTO course_rights (course_id, kind, evidence, recorded_by)
       VALUES ($1::text, $2::text, $3::text, $4::text)
       ON CONFLICT (course_id) DO UPDATE SET kind = excluded.kind, evidence = excluded.evidence,
         recorded_by = excluded.recorded_by, recorded_at = now()`,
      [course.id, rights.kind, rights.evidence, rights.recordedBy],
    );
}
