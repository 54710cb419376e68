import { insertJob } from '../../sql/jobs.ts';
import type { PayableOrder } from '../../sql/payments.ts';
import type { Database } from '../../sql/pool.ts';
import { enqueueTask } from '../../sql/tasks.ts';

/** The job of an order that is paid in full, with its first task. The caller holds the order's lock. Answers its id. */
export async function startJob(db: Database, order: Pick<PayableOrder, 'id' | 'code' | 'course_id'>): Promise<string> {
  const job = await insertJob(db, { id: order.id, courseId: order.course_id });
  if (job === undefined) throw new Error(`order ${order.code} got a job while it was locked`);
  await enqueueTask(db, 'enrol', job.id);
  return job.id;
}
