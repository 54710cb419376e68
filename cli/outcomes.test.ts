import { expect, test } from '@jest/globals';
import { OUTCOMES } from '../sql/outcomes.ts';
import { explainOutcomes } from './outcomes.ts';

test('every outcome has its line', () => {
  const lines = explainOutcomes(false).split('\n');
  for (const outcome of Object.keys(OUTCOMES))
    expect(lines.filter((line) => line.startsWith(`${outcome} `))).toHaveLength(1);
  expect(explainOutcomes(false)).not.toContain('…');
});

test('a line says what is spent, what happens then, whose fault it is and whether money goes back', () => {
  const rows = JSON.parse(explainOutcomes(true)) as { outcome: string }[];
  const row = (outcome: string) => rows.find((one) => one.outcome === outcome);
  expect(row('app_temporary')).toMatchObject({
    spends: 'one of 3 attempts',
    next: 'again after back-off, then dead: attempts_exhausted',
    fault: 'provider',
    refund: false,
  });
  expect(row('engine_lost')).toMatchObject({
    spends: 'one of 10 losses',
    next: 'again soon, then dead: infrastructure',
    refund: false,
  });
  expect(row('oom')).toMatchObject({ next: 'once more under the next bigger profile, then dead: oom' });
  expect(row('cancelled')).toMatchObject({ spends: null, next: 'dead: cancelled', fault: 'customer', refund: true });
  expect(row('succeeded')).toMatchObject({ spends: null, next: 'delivery', fault: 'nobody' });
});
