/** The one retry table: what each outcome of an attempt means, and what happens next. Data only. */

/**
 * Who is charged for an ending: `attempt` spends one of the job's three, `loss` is ours and has its own budget,
 * `permanent` will not get better by trying again.
 */
type Charge = 'none' | 'attempt' | 'loss' | 'permanent';
export type Policy = {
  charge: Charge;
  fault: 'nobody' | 'provider' | 'customer' | 'operator' | 'lading';
  refund: boolean;
  /** Tried again under the next bigger profile only, once. */
  needsBiggerProfile?: true;
  meaning: string;
};

/** Attempts that a job may spend, and losses of ours that it may meet, before it is dead. */
export const ATTEMPTS_MAX = 3;
export const LOSSES_MAX = 10;
/** What a back-off is cut at, and what it starts from after a loss, as a share of the orchestrator's setting. */
export const RETRY_DELAY_MAX_SECONDS = 15 * 60;
export const LOSS_DELAY_SHARE = 1 / 30;

export const OUTCOMES = {
  succeeded: { charge: 'none', fault: 'nobody', refund: false, meaning: 'exit 0 and an accepted manifest' },
  app_temporary: {
    charge: 'attempt',
    fault: 'provider',
    refund: false,
    meaning: 'the job gave up on something that may pass (69, 74, 75)',
  },
  bad_input: {
    charge: 'permanent',
    fault: 'operator',
    refund: true,
    meaning: 'the course cannot be read as it is (65)',
  },
  protected_content: {
    charge: 'permanent',
    fault: 'operator',
    refund: true,
    meaning: 'the course is protected or not marked as unprotected (65)',
  },
  not_entitled: {
    charge: 'permanent',
    fault: 'operator',
    refund: true,
    meaning: 'the account has no right to the course or to Drive (77)',
  },
  bug: { charge: 'attempt', fault: 'lading', refund: false, meaning: 'the job met an error it does not know (70)' },
  no_manifest: { charge: 'attempt', fault: 'lading', refund: false, meaning: 'exit 0 without an accepted manifest' },
  unknown_exit: { charge: 'attempt', fault: 'lading', refund: false, meaning: 'an exit code that is not documented' },
  oom: {
    charge: 'attempt',
    fault: 'lading',
    refund: false,
    needsBiggerProfile: true,
    meaning: 'the memory limit was hit, or the heap was full (134)',
  },
  deadline: {
    charge: 'attempt',
    fault: 'lading',
    refund: false,
    meaning: 'stopped by us: longer than the profile allows',
  },
  cancelled: { charge: 'permanent', fault: 'customer', refund: true, meaning: 'stopped by us: cancelled' },
  handshake_failed: {
    charge: 'loss',
    fault: 'lading',
    refund: false,
    meaning: 'the envelope was not acknowledged (64)',
  },
  hardening_mismatch: {
    charge: 'loss',
    fault: 'operator',
    refund: false,
    meaning: 'the container was not made as asked; it got no secret',
  },
  killed_outside: {
    charge: 'loss',
    fault: 'operator',
    refund: false,
    meaning: 'killed by a signal that was not ours (137, 143)',
  },
  start_failed: {
    charge: 'loss',
    fault: 'operator',
    refund: false,
    meaning: 'the engine could not start the container',
  },
  image_missing: { charge: 'loss', fault: 'operator', refund: false, meaning: 'the job image is not on the engine' },
  engine_lost: { charge: 'loss', fault: 'operator', refund: false, meaning: 'the engine or the container is gone' },
  orchestrator_lost: {
    charge: 'loss',
    fault: 'lading',
    refund: false,
    meaning: 'the orchestrator died before the job had its envelope',
  },
  services_lost: {
    charge: 'loss',
    fault: 'lading',
    refund: false,
    meaning: 'egress or the API stayed away from a running job (71)',
  },
  manifest_false: {
    charge: 'attempt',
    fault: 'lading',
    refund: false,
    meaning: 'Drive does not have what the accepted manifest says',
  },
} as const satisfies Record<string, Policy>;
export type Outcome = keyof typeof OUTCOMES;
