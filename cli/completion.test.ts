import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { bashCompletion } from './completion.ts';
import { makeProgram } from './program.ts';

const nobody = () => Promise.reject(new Error('not called'));
const program = makeProgram({
  print: () => undefined,
  overApi: nobody,
  onPostgres: nobody,
  doctor: nobody,
  catchInterrupt: () => new AbortController().signal,
  fail: () => undefined,
});

/** What bash itself offers behind these words; the last one is being typed. */
const offered = (...words: string[]): string[] =>
  execFileSync(
    'bash',
    [
      '-c',
      `${bashCompletion(program)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lading; printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      ...words,
    ],
    {
      encoding: 'utf8',
    },
  )
    .split('\n')
    .filter((word) => word !== '');

test.each([
  [['lading', 'pau'], ['pause']],
  [['lading', 'dead-letters', 're'], ['redrive']],
  [['lading', 'jobs', 'list', '--s'], ['--state']],
  [['lading', 'jobs', 'cancel', 'LD2222222222', '--r'], ['--reason']],
  [['lading', 'logs', '--nothing'], []],
])('behind %j bash offers %j', (words, wanted) => {
  expect(offered(...words)).toEqual(wanted);
});
