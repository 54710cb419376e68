import { insertJob } from '../../sql/jobs.ts';
import type { PayableOrder } from '../../sql/payments.ts';
import { atOnce, type Database } from '../../sql/pool.ts';
import { enqueueTaskOfOrder } from '../../sql/tasks.ts';

/** The job of an order that is paid in full, with its first task. The caller holds the order's lock. Answers its id. */
export async function startJob(db: Database, order: Pick<PayableOrder, 'id' | 'code' | 'course_id'>): Promise<string> {
  const [job] = await atOnce<[{ id: string } | undefined, void]>(
    db,
    () => insertJob(db, { id: order.id, courseId: order.course_id }),
    () => enqueueTaskOfOrder(db, 'enrol', order.id),
  );
  // Then it had one before, and what was queued for that is rolled back.
  if (job === undefined) throw new Error(`order ${order.code} got a job while it was locked`);
  return job.id;
}
