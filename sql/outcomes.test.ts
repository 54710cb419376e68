import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { OUTCOMES } from './outcomes.ts';

test('docs/outcomes.md names exactly the outcomes there are, each once', () => {
  const page = readFileSync(new URL('../docs/outcomes.md', import.meta.url), 'utf8');
  const [, after = ''] = page.split('## What happens next');
  const named = [...after.matchAll(/^\| ((?:`[a-z_]+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name),
  );
  expect(named.toSorted()).toEqual(Object.keys(OUTCOMES).toSorted());
});
