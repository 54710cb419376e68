import { expect, test } from '@jest/globals';
import { rehearse } from './rehearsal.ts';

test('a rehearsal goes through with any nonce: its envelope is one that the job would take', async () => {
  await expect(rehearse('a-nonce-of-this-test-0123456789')).resolves.toBeUndefined();
});
