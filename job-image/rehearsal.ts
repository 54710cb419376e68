/**
 * What is done for the first time is slow: Node loads and compiles it, zod generates its parser. A container that waits
 * long for its envelope, a standby, goes once through what it will do with it, so that the job that finds it does not
 * wait. One that gets its envelope at once says `accepted` first and loads the rest of its code then.
 */
import { decodeEnvelope, encodeEnvelope, secretsOf, type Envelope } from './contract/envelope.ts';
import { formatJobMessage } from './contract/messages.ts';
import { makeMasker } from './masker.ts';

/** A container that is not a standby has its envelope by then, and nothing to rehearse. */
export const REHEARSE_AFTER_MS = 500;

const SAMPLE_ID = '00000000-0000-4000-8000-000000000000';
const SAMPLE: Envelope = {
  jobId: SAMPLE_ID,
  attemptId: SAMPLE_ID,
  attemptNumber: 1,
  deadlineAt: '2000-01-01T00:00:00Z',
  course: { id: 'rehearsal', title: 'Rehearsal' },
  source: { provider: 'manifest', manifestUrl: 'https://localhost/manifest.json', bearer: 'rehearsal' },
  drive: {
    apiUrl: 'https://localhost',
    accessToken: 'rehearsal',
    parentFolderId: 'rehearsal',
    folderName: 'Rehearsal',
  },
  egressToken: 'rehearsal',
  attemptKey: 'whsec_rehearsal',
  resumeKey: 'cmVoZWFyc2Fs',
  parallelFiles: 1,
};

/** Leaves nothing behind but loaded code. Takes some hundred milliseconds. */
export async function rehearse(nonce: string): Promise<void> {
  await import('./deliver.ts');
  const envelope = decodeEnvelope(encodeEnvelope(SAMPLE, nonce), nonce);
  makeMasker(secretsOf(envelope))(formatJobMessage({ lading: 'accepted', attemptId: envelope.attemptId }));
}
