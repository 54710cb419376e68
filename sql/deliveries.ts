import { maybeOne, type Database } from './pool.ts';

export type DeliveryRow = {
  job_id: string;
  granted_to: string;
  permission_id: string | null;
  granted_at: Date | null;
  mail_message_id: string | null;
  mailed_at: Date | null;
};

const COLUMNS = 'job_id, granted_to, permission_id, granted_at, mail_message_id, mailed_at';

export const findDelivery = (db: Database, jobId: string): Promise<DeliveryRow | undefined> =>
  maybeOne<DeliveryRow>(db, `SELECT ${COLUMNS} FROM deliveries WHERE job_id = $1::uuid`, [jobId]);

export async function recordGrant(
  db: Database,
  jobId: string,
  grant: { grantedTo: string; permissionId: string },
): Promise<void> {
  await db.query(
    `INSERT INTO deliveries (job_id, granted_to, permission_id, granted_at)
     VALUES ($1::uuid, $2::text, $3::text, now())
     ON CONFLICT (job_id) DO UPDATE
       SET granted_to = excluded.granted_to, permission_id = excluded.permission_id, granted_at = now()
       WHERE deliveries.granted_at IS NULL`,
    [jobId, grant.grantedTo, grant.permissionId],
  );
}

/** False when the mail was recorded before. */
export async function recordMail(
  db: Database,
  jobId: string,
  mail: { to: string; subject: string; messageId: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE deliveries SET mail_to = $2::text, mail_subject = $3::text, mail_message_id = $4::text, mailed_at = now()
     WHERE job_id = $1::uuid AND mailed_at IS NULL`,
    [jobId, mail.to, mail.subject, mail.messageId],
  );
  return rowCount === 1;
}

export type DeliveryFacts = {
  job_id: string;
  order_code: string;
  email: string;
  course_title: string;
  folder_id: string;
  /** The job whose upload is delivered, and whose mark its folder and files carry. */
  uploaded_by: string;
  /** Whether others are let into the folder as well. */
  is_shared: boolean;
  files: number;
  bytes: number;
};

/** What the grant and the mail are about. */
export const deliveryFacts = (db: Database, jobId: string): Promise<DeliveryFacts | undefined> =>
  maybeOne<DeliveryFacts>(
    db,
    `SELECT j.id AS job_id, o.code AS order_code, o.email, c.title AS course_title, j.folder_id,
            coalesce(j.delivers_job, j.id) AS uploaded_by, c.folder = 'shared' OR j.delivers_job IS NOT NULL AS is_shared,
            delivered.files, delivered.bytes
     FROM jobs j JOIN orders o ON o.id = j.order_id JOIN courses c ON c.id = j.course_id
     CROSS JOIN LATERAL (
       SELECT count(*) AS files, coalesce(sum(f.bytes), 0)::bigint AS bytes FROM files f
       WHERE f.attempt_id = (SELECT a.id FROM attempts a
                             WHERE a.job_id = coalesce(j.delivers_job, j.id) AND a.finalized_at IS NOT NULL ORDER BY a.n DESC LIMIT 1)
     ) delivered
     WHERE j.id = $1::uuid AND j.folder_id IS NOT NULL`,
    [jobId],
  );
