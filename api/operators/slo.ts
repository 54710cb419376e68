/** Targets against figures; decided here, measured in sql/slo.ts. */
import type { SloFigures } from '../../sql/slo.ts';

type Target = {
  name: 'processing_mean' | 'uptime' | 'failed' | 'queue_wait' | 'retry_success';
  target: string;
  /** In `unit`; null where there was nothing to measure. */
  actual: (figures: SloFigures, windowSeconds: number) => number | null;
  unit: 'minutes' | 'percent';
  holds: (actual: number) => boolean;
  measures: string;
};

const percent = (part: number, whole: number): number | null => (whole === 0 ? null : (100 * part) / whole);
const minutes = (seconds: number | null): number | null => (seconds === null ? null : seconds / 60);

export const TARGETS: readonly Target[] = [
  {
    name: 'processing_mean',
    target: '< 70 minutes',
    actual: ({ processing_mean_seconds }) => minutes(processing_mean_seconds),
    unit: 'minutes',
    holds: (actual) => actual < 70,
    measures: 'from payment to delivery, mean of the jobs that were completed',
  },
  {
    name: 'uptime',
    target: '> 99.5 %',
    actual: ({ down_seconds }, windowSeconds) =>
      down_seconds === null ? null : percent(windowSeconds - down_seconds, windowSeconds),
    unit: 'percent',
    holds: (actual) => actual > 99.5,
    measures: 'time in which at least one engine answered; whether the API did is for the monitoring to say',
  },
  {
    name: 'failed',
    target: '< 2 %',
    actual: ({ dead, completed }) => percent(dead, dead + completed),
    unit: 'percent',
    holds: (actual) => actual < 2,
    measures: 'jobs that ended dead, of all that ended; cancelled ones are not counted',
  },
  {
    name: 'queue_wait',
    target: '< 5 minutes',
    actual: ({ queue_wait_mean_seconds }) => minutes(queue_wait_mean_seconds),
    unit: 'minutes',
    holds: (actual) => actual < 5,
    measures: "from payment to the first attempt's envelope, mean of the jobs that began",
  },
  {
    name: 'retry_success',
    target: '> 80 %',
    actual: ({ retried, retried_completed }) => percent(retried_completed, retried),
    unit: 'percent',
    holds: (actual) => actual > 80,
    measures: 'jobs that were completed, of those that ended after more than one attempt',
  },
];
