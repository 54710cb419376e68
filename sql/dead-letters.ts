/** Jobs that will not run again by themselves. */
import type { Database } from './pool.ts';

export type DeadLetterFilter = {
  deadReason?: string | undefined;
  courseId?: string | undefined;
  diedAfter?: string | undefined;
  diedBefore?: string | undefined;
};

export type DeadLetter = {
  id: string;
  order_code: string;
  email: string;
  course_id: string;
  dead_reason: string;
  dead_detail: string | null;
  died_at: Date;
  /** `died_at`, in microseconds since 1970. */
  micros: number;
  redrives: number;
  attempts: { n: number; outcome: string | null; exit_code: number | null; detail: string | null }[];
};

const FILTERED = `j.state = 'dead' AND ($1::text IS NULL OR j.dead_reason = $1::text)
  AND ($2::text IS NULL OR j.course_id = $2::text)
  AND ($3::timestamptz IS NULL OR j.updated_at >= $3::timestamptz)
  AND ($4::timestamptz IS NULL OR j.updated_at < $4::timestamptz)`;
const valuesOf = (filter: DeadLetterFilter): (string | null)[] => [
  filter.deadReason ?? null,
  filter.courseId ?? null,
  filter.diedAfter ?? null,
  filter.diedBefore ?? null,
];

/** The latest first, from behind `after`, each with what became of its attempts. */
export async function pageOfDeadLetters(
  db: Database,
  filter: DeadLetterFilter,
  after: { micros: number; id: string } | undefined,
  limit: number,
): Promise<DeadLetter[]> {
  const { rows } = await db.query<DeadLetter>(
    `SELECT j.id, o.code AS order_code, o.email, j.course_id, j.dead_reason, j.dead_detail, j.redrives,
            j.updated_at AS died_at, micros(j.updated_at) AS micros,
            coalesce((SELECT jsonb_agg(jsonb_build_object('n', a.n, 'outcome', a.outcome, 'exit_code', a.exit_code,
                                                          'detail', a.detail) ORDER BY a.n)
                      FROM attempts a WHERE a.job_id = j.id), '[]'::jsonb) AS attempts
     FROM jobs j JOIN orders o ON o.id = j.order_id
     WHERE ${FILTERED}
       AND ($5::bigint IS NULL OR (j.updated_at, j.id) < (moment($5::bigint), $6::uuid))
     ORDER BY j.updated_at DESC, j.id DESC LIMIT $7::int`,
    [...valuesOf(filter), after?.micros ?? null, after?.id ?? null, limit],
  );
  return rows;
}

/** Those that died first. What an operator cancelled may have been refunded: only who names that reason means it. */
export async function oldestDeadLetters(
  db: Database,
  filter: DeadLetterFilter,
  limit: number,
): Promise<Pick<DeadLetter, 'id' | 'order_code' | 'dead_reason'>[]> {
  const { rows } = await db.query<Pick<DeadLetter, 'id' | 'order_code' | 'dead_reason'>>(
    `SELECT j.id, o.code AS order_code, j.dead_reason FROM jobs j JOIN orders o ON o.id = j.order_id
     WHERE ${FILTERED} AND (j.dead_reason <> 'cancelled' OR $1::text = 'cancelled')
     ORDER BY j.updated_at, j.id LIMIT $5::int`,
    [...valuesOf(filter), limit],
  );
  return rows;
}
