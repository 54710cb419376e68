import {
  ATTEMPTS_MAX,
  LOSSES_MAX,
  OUTCOMES,
  RETRY_DELAY_MAX_SECONDS,
  type Outcome,
  type Policy,
} from '../sql/outcomes.ts';
import { json, table } from './print.ts';

const SPENDS = {
  none: null,
  attempt: `one of ${ATTEMPTS_MAX} attempts`,
  loss: `one of ${LOSSES_MAX} losses`,
  permanent: null,
} as const;

function whatNext(outcome: string, policy: Policy): string {
  if (policy.needsBiggerProfile) return `once more under the next bigger profile, then dead: ${outcome}`;
  return {
    none: 'delivery',
    attempt: 'again after back-off, then dead: attempts_exhausted',
    loss: 'again soon, then dead: infrastructure',
    permanent: `dead: ${outcome}`,
  }[policy.charge];
}

/** The retry table, as people read it. */
export function explainOutcomes(asJson: boolean): string {
  const rows = Object.entries(OUTCOMES as Record<Outcome, Policy>).map(([outcome, policy]) => ({
    outcome,
    spends: SPENDS[policy.charge],
    next: whatNext(outcome, policy),
    fault: policy.fault,
    refund: policy.refund,
    meaning: policy.meaning,
  }));
  if (asJson) return json(rows);
  const shown = rows.map((row) => ({ ...row, refund: row.refund ? 'yes' : null }));
  return `${table(shown, ['outcome', 'spends', 'next', 'fault', 'refund', 'meaning'])}
Back-off is exponential with full jitter, at most ${RETRY_DELAY_MAX_SECONDS / 60} minutes; a provider's Retry-After is waited for, up to a day.
`;
}
