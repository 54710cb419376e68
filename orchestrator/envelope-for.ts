/** The envelope of one attempt: what the job needs to know and every secret it gets. Pure. */
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { nameFrom } from '../job-image/contract/file-name.ts';
import { mintEgressToken } from '../job-image/contract/egress-token.ts';
import type { Envelope } from '../job-image/contract/envelope.ts';
import { deriveResumeKey } from '../job-image/contract/sealed-session.ts';
import type { MasterKeys } from '../keys/master-keys.ts';
import type { BegunAttempt } from '../sql/queue.ts';
import type { Limits } from './profiles.ts';
import { jobSourceOf } from './providers/sources.ts';

/** The token outlives the deadline by what stopping and settling may take. */
const EGRESS_TOKEN_MARGIN_SECONDS = 300;

export type EnvelopeSettings = {
  egressKey: Buffer;
  masterKeys: MasterKeys;
  googleApiUrl: string;
  driveParentFolderId: string;
  providerTokens: ReadonlyMap<string, string>;
  extraCaPem: string | undefined;
};

const egressTokenFor = (key: Buffer, attempt: Pick<BegunAttempt, 'id' | 'profile' | 'deadline_at'>): string =>
  mintEgressToken(key, {
    attempt: attempt.id,
    profile: attempt.profile,
    expiresAt: Math.ceil(attempt.deadline_at.getTime() / 1000) + EGRESS_TOKEN_MARGIN_SECONDS,
  });

/** What of an attempt's secrets is known to one who did not make its envelope, for the masker: all but the Drive token. */
export const reproducibleSecrets = (
  settings: Pick<EnvelopeSettings, 'egressKey' | 'masterKeys' | 'providerTokens'>,
  attempt: Pick<BegunAttempt, 'id' | 'job_id' | 'profile' | 'deadline_at'>,
): string[] => [
  egressTokenFor(settings.egressKey, attempt),
  ...settings.masterKeys
    .accepted()
    .flatMap(({ key }) => [deriveAttemptKey(key, attempt.id), deriveResumeKey(key, attempt.job_id)]),
  ...settings.providerTokens.values(),
];

/** Throws an Error when the course's source is not of its provider's shape. */
export function envelopeFor(
  settings: EnvelopeSettings,
  attempt: Pick<
    BegunAttempt,
    | 'id'
    | 'job_id'
    | 'n'
    | 'profile'
    | 'deadline_at'
    | `course_${'id' | 'title' | 'provider' | 'source' | 'folder'}`
    | 'order_code'
  >,
  limits: Limits,
  accessToken: string,
): Envelope {
  return {
    jobId: attempt.job_id,
    attemptId: attempt.id,
    attemptNumber: attempt.n,
    deadlineAt: attempt.deadline_at.toISOString(),
    course: { id: attempt.course_id, title: attempt.course_title },
    source: jobSourceOf(attempt.course_provider, attempt.course_source, settings.providerTokens),
    drive: {
      apiUrl: settings.googleApiUrl,
      accessToken,
      parentFolderId: settings.driveParentFolderId,
      folderName: nameFrom(
        attempt.course_title,
        // What many orders share bears the name of none.
        attempt.course_folder === 'shared' ? '' : ` (${attempt.order_code})`,
      ),
    },
    egressToken: egressTokenFor(settings.egressKey, attempt),
    attemptKey: deriveAttemptKey(settings.masterKeys.current().key, attempt.id),
    resumeKey: deriveResumeKey(settings.masterKeys.current().key, attempt.job_id),
    ...(settings.extraCaPem === undefined ? {} : { extraCaPem: settings.extraCaPem }),
    parallelFiles: limits.parallelFiles,
  };
}
