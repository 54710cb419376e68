/** Exit codes of the job image, after sysexits.h where one fits. They are evidence, never proof. */
export const EXIT = {
  ok: 0,
  /** The envelope was missing, short, foreign or malformed: nothing was done. */
  usage: 64,
  /** The course cannot be delivered as it is: malformed manifest, protected content, checksum that never fits. */
  badInput: 65,
  /** A service we depend on stayed away after our own retries. */
  unavailable: 69,
  /** A bug of ours. */
  software: 70,
  /** Egress or the API, which are ours, stayed away for longer than the job waits. */
  servicesLost: 71,
  ioError: 74,
  /** Anything else that may pass by itself. */
  temporary: 75,
  /** The account has no right to the course or to the Drive folder. */
  notEntitled: 77,
} as const;

/** Why the job ended, in its own words; printed in its `end` message. A closed list. */
export const END_REASONS = [
  'ok',
  'envelope_rejected',
  'manifest_invalid',
  'protected_content',
  'checksum_mismatch',
  'provider_unavailable',
  'provider_denied',
  'drive_unavailable',
  'drive_denied',
  'drive_quota',
  'finalize_refused',
  'finalize_unavailable',
  'egress_unavailable',
  'api_unavailable',
  'terminated',
  'bug',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** The one exit code each reason ends with. */
export const EXIT_OF_REASON: Readonly<Record<EndReason, number>> = {
  ok: EXIT.ok,
  envelope_rejected: EXIT.usage,
  manifest_invalid: EXIT.badInput,
  protected_content: EXIT.badInput,
  checksum_mismatch: EXIT.temporary,
  provider_unavailable: EXIT.unavailable,
  provider_denied: EXIT.notEntitled,
  drive_unavailable: EXIT.unavailable,
  drive_denied: EXIT.notEntitled,
  drive_quota: EXIT.notEntitled,
  finalize_refused: EXIT.temporary,
  finalize_unavailable: EXIT.unavailable,
  egress_unavailable: EXIT.servicesLost,
  api_unavailable: EXIT.servicesLost,
  terminated: EXIT.temporary,
  bug: EXIT.software,
};
