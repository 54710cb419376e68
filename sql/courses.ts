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
  /** What its jobs begin with, -10 to 10: above 0 less urgent. Absent: 0. */
  priority?: number;
  /** Whether it is shown to customers and can be ordered. Absent: true. */
  listed?: boolean;
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

/** Makes or renews a catalogue entry, as lading_owner. Without `rights` the course exists but cannot be ordered. */
export async function putCourse(db: Database, course: CourseRow, rights: RightsRecord | undefined): Promise<void> {
  await db.query('SELECT put_course($1::jsonb, $2::jsonb)', [JSON.stringify(course), JSON.stringify(rights ?? {})]);
}

export type CatalogueEntry = Required<CourseRow> & { rights: (RightsRecord & { recordedAt: string }) | null };

/** Every course with its rights record, by id, from behind `after`. */
export async function pageOfCatalogue(
  db: Database,
  after: string | undefined,
  limit: number,
): Promise<CatalogueEntry[]> {
  const { rows } = await db.query<CatalogueEntry>(
    `SELECT c.id, c.title, c.price_vnd, c.provider, c.source, c.profile, c.folder, c.priority, c.listed,
            CASE WHEN r.course_id IS NOT NULL THEN
              jsonb_build_object('kind', r.kind, 'evidence', r.evidence, 'recordedBy', r.recorded_by,
                'recordedAt', to_char(r.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) END AS rights
     FROM courses c LEFT JOIN course_rights r ON r.course_id = c.id
     WHERE $1::text IS NULL OR c.id > $1::text ORDER BY c.id LIMIT $2::int`,
    [after ?? null, limit],
  );
  return rows;
}
