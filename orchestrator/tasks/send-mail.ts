import { deliveryFacts, findDelivery, recordMail } from '../../sql/deliveries.ts';
import { inTransaction } from '../../sql/pool.ts';
import { complete, holdStep, releaseStep, takeDelivery, type Step } from '../../sql/steps.ts';
import { deliveryMail, type SendMail } from '../mail.ts';
import { runStep, STEP_LEASE_SECONDS, type StepDeps } from './step.ts';

/** Tells the customer, then the job is completed. A crash between sending and writing sends the same message id again. */
export const makeSendMailTask =
  (deps: StepDeps & { sendMail: SendMail }) =>
  async (jobId: string): Promise<void> => {
    const job = await takeDelivery(deps.pool, jobId, STEP_LEASE_SECONDS);
    if (!job) return;
    const step: Step = { jobId, state: 'delivering', epoch: job.step_epoch };
    const about = { task: 'send-mail', step, failures: job.task_failures, exhausted: 'mail_failed' };
    await runStep(deps, about, async () => {
      const delivery = await findDelivery(deps.pool, jobId);
      if (!delivery?.granted_at) {
        return (await releaseStep(deps.pool, step)) ? { step: 'done' } : { step: 'not_ours' };
      }
      const facts = await deliveryFacts(deps.pool, jobId);
      if (!facts) throw new Error(`job ${jobId} has nothing to deliver`);
      const mail = deliveryMail(facts);
      if (!delivery.mailed_at) {
        const sent = await deps.sendMail(mail);
        if (!sent.ok)
          return sent.retry
            ? { step: 'postpone', detail: sent.detail }
            : { step: 'bury', reason: 'mail_refused', detail: sent.detail };
      }
      const completed = await inTransaction(deps.pool, async (client) => {
        if (!(await holdStep(client, step))) return undefined;
        await recordMail(client, jobId, mail);
        return complete(client, step);
      });
      if (!completed) return { step: 'not_ours' };
      deps.onJobEnded({
        result: 'completed',
        retried: completed.attempts_started > 1,
        secondsFromPaid: completed.seconds_from_paid,
      });
      deps.log.info({ job: jobId, messageId: mail.messageId }, 'job completed');
      return { step: 'done' };
    });
  };
