import type { Database } from './pool.ts';

export type TaskName = 'enrol' | 'start-attempt' | 'grant-access' | 'send-mail';

/** Puts a task into graphile-worker's queue, due now. Asking twice for the same job is the same as asking once. */
export async function enqueueTask(db: Database, task: TaskName, jobId: string): Promise<void> {
  await db.query('SELECT enqueue_task($1::text, $2::uuid)', [task, jobId]);
}

/** The same for the job of an order, whose id need not be known yet. */
export async function enqueueTaskOfOrder(db: Database, task: TaskName, orderId: string): Promise<void> {
  await db.query('SELECT enqueue_task($1::text, id) FROM jobs WHERE order_id = $2::uuid', [task, orderId]);
}
