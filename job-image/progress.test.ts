import { expect, test } from '@jest/globals';
import type { Progress } from './contract/messages.ts';
import { makeProgress } from './progress.ts';

function setUp() {
  const said: Progress[] = [];
  let now = 0;
  const progress = makeProgress(
    { filesTotal: 3, bytesTotal: 900 },
    (each) => said.push(each),
    () => now,
  );
  return { said, progress, at: (ms: number) => void (now = ms) };
}

test('speaks at most twice a second, and whenever it is asked to', () => {
  const { said, progress, at } = setUp();
  progress.say();
  for (let ms = 1; ms <= 1_000; ms += 1) {
    at(ms);
    progress.bytes(0.5);
  }
  expect(said.map(({ bytesDone }) => bytesDone)).toEqual([0, 250, 500]);
  progress.say();
  expect(said).toHaveLength(4);
});

test('a file from an earlier attempt counts as done but not as speed, and a file that starts again counts back', () => {
  const { said, progress, at } = setUp();
  progress.skipped(300);
  at(1_000);
  progress.bytes(200);
  progress.bytes(-200);
  at(2_000);
  progress.bytes(600);
  progress.fileDone();
  progress.fileDone();
  progress.say();
  expect(said.at(-1)).toEqual({
    filesTotal: 3,
    bytesTotal: 900,
    filesDone: 3,
    bytesDone: 900,
    bytesPerSecond: 300,
    secondsLeft: 0,
  });
});

test('says how long it will take at this speed, of what is still to be sent', () => {
  const { said, progress, at } = setUp();
  progress.say();
  expect(said.at(-1)).not.toHaveProperty('secondsLeft');
  progress.resumed(300);
  at(2_000);
  progress.bytes(200);
  expect(said.at(-1)).toMatchObject({ bytesDone: 500, bytesPerSecond: 100, secondsLeft: 4 });
});

test('of streams, whose length nobody knows, no end is told', () => {
  const said: Progress[] = [];
  let now = 0;
  const progress = makeProgress(
    { filesTotal: 1, bytesTotal: 0 },
    (each) => said.push(each),
    () => now,
  );
  now = 1_000;
  progress.bytes(500);
  expect(said).toEqual([{ filesTotal: 1, bytesTotal: 0, filesDone: 0, bytesDone: 500, bytesPerSecond: 500 }]);
});
