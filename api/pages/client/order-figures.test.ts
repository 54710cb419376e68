import { expect, test } from '@jest/globals';
import { liveTexts, shareDone, structureOf, type LiveOrder } from './order-figures.ts';

const progress = {
  filesDone: 3,
  filesTotal: 12,
  bytesDone: 250e6,
  bytesTotal: 1e9,
  bytesPerSecond: 5e6,
  secondsLeft: 150,
};
const order: LiveOrder = { status: 'downloading', paidVnd: 499_000, attempts: 1, unplaced: [], queue: null, progress };
const queued = (queue: NonNullable<LiveOrder['queue']>): LiveOrder => ({
  ...order,
  status: 'enrolled',
  progress: null,
  queue,
});

test('a download is told in bytes, files, speed and time', () => {
  expect(liveTexts('vi', order)).toEqual({
    percent: '25 %',
    ahead: '',
    estimate: '',
    bytes: '250 MB / 1,0 GB',
    files: '3 / 12',
    rate: '5,0 MB/s',
    left: '3 phút',
  });
  expect(
    liveTexts('en', { ...order, progress: { ...progress, bytesPerSecond: 0, secondsLeft: undefined } }),
  ).toMatchObject({ rate: '–', left: 'not known' });
});

test.each([
  [{ bytesTotal: 0 }, 0.25],
  [{ bytesTotal: 0, filesTotal: 0 }, undefined],
  [{ bytesDone: 2e9 }, 1],
])('of a whole that is not known, or not true, %j is %p done', (given, share) => {
  expect(shareDone({ ...order, progress: { ...progress, ...given } })).toBe(share);
});

test.each([
  [0, 0, null, 'Bạn là người tiếp theo', 'Sắp bắt đầu tải.'],
  [3, 360, 3_960, 'Còn 3 lượt tải trước bạn', 'Bắt đầu tải sau khoảng 6 phút, xong sau khoảng 1 giờ 6 phút.'],
  [1_000, null, null, 'Còn 1000+ lượt tải trước bạn', 'Chưa đủ số liệu để ước tính thời gian.'],
])(
  'with %d ahead, beginning in %p and done in %p seconds, a waiting order says so',
  (ahead, startSeconds, doneSeconds, place, time) => {
    expect(liveTexts('vi', queued({ ahead, startSeconds, doneSeconds }))).toMatchObject({
      ahead: place,
      estimate: time,
    });
  },
);

test('figures do not change the structure of a page; money, state and the first progress do', () => {
  const before = structureOf(order);
  expect(structureOf({ ...order, progress: { ...progress, bytesDone: 1 } })).toBe(before);
  for (const other of [
    { paidVnd: 1 },
    { status: 'delivering' },
    { progress: null },
    { unplaced: [{}] },
    { attempts: 2 },
  ])
    expect(structureOf({ ...order, ...other })).not.toBe(before);
});
