import type pg from 'pg';

/**
 * Listens on `client`, which is the caller's alone until he closes it. The function it answers resolves when the
 * attempt's log has grown or may have ended since it resolved last, or `signal` is aborted; it rejects when the
 * connection breaks. Nothing is asked meanwhile.
 */
export async function hearLog(
  client: pg.ClientBase,
  attempt: { id: string; jobId: string },
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  let heard = false;
  let lost: Error | undefined;
  let wake = (): void => undefined;
  const note = (): void => {
    heard = true;
    wake();
  };
  const lose = (cause?: Error): void => {
    lost ??= new Error('the connection to the database was lost', { cause });
    note();
  };
  client.on('notification', ({ channel, payload }) => {
    // An attempt without a log ends with its row, and settling it notifies of the job.
    if (payload === (channel === 'lading_logs' ? attempt.id : attempt.jobId)) note();
  });
  client.on('error', lose);
  client.on('end', () => lose());
  signal.addEventListener('abort', note, { once: true });
  await client.query('LISTEN lading_logs');
  await client.query('LISTEN lading_jobs');
  return async () => {
    if (!heard && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    heard = false;
    if (lost) throw lost;
  };
}
