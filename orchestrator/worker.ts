/**
 * graphile-worker as we use it: tasks due now, handed over by NOTIFY. Its poll is long because nothing of ours is ever
 * due later in its tables; its batch delays are off because a task that ends during a stop would else stay locked.
 */
import { Logger as GraphileLogger, run, type Runner, type TaskList } from 'graphile-worker';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Pool } from '../sql/pool.ts';
import type { TaskName } from '../sql/tasks.ts';

const POLL_EVERY_MS = 24 * 60 * 60 * 1000;
const payloadSchema = z.object({ jobId: z.uuid() });

export type Tasks = Readonly<Record<TaskName, (jobId: string) => Promise<void>>>;

export async function startWorker(
  pool: Pool,
  tasks: Tasks,
  concurrency: number,
  log: Logger,
  onListening: () => void,
): Promise<Runner> {
  const taskList: TaskList = Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => [name, (payload: unknown) => task(payloadSchema.parse(payload).jobId)]),
  );
  const runner = await run({
    pgPool: pool,
    taskList,
    concurrency,
    noHandleSignals: true,
    pollInterval: POLL_EVERY_MS,
    logger: new GraphileLogger(() => (level, message) => {
      if (level === 'error') log.error({ worker: message }, 'task queue');
      else if (level === 'warning') log.warn({ worker: message }, 'task queue');
    }),
    preset: {
      worker: {
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        // Looks for locks of dead workers; ours are made up for by reconcile.
        minResetLockedInterval: POLL_EVERY_MS,
        maxResetLockedInterval: POLL_EVERY_MS,
      },
    },
  });
  // After its LISTEN came back it does not look for what it missed; reconcile does.
  runner.events.on('pool:listen:success', onListening);
  return runner;
}
