/** What moves on an order page while its shape stays: the same texts from the server and, later, in the browser. */
import { bytesText, spanText, type Tongue } from './figures.ts';

/** The part of an order's answer that the page shows live. */
export type LiveOrder = {
  status: string;
  paidVnd: number;
  attempts: number;
  unplaced: readonly unknown[];
  failure?: unknown;
  folderUrl?: string;
  queue: { ahead: number; startSeconds: number | null; doneSeconds: number | null } | null;
  progress: {
    filesDone: number;
    filesTotal: number;
    bytesDone: number;
    bytesTotal: number;
    bytesPerSecond: number;
    secondsLeft?: number | undefined;
  } | null;
};

/** The server counts no further. */
const AHEAD_MAX = 1_000;

/** Two answers with the same structure are one page with other figures in it. */
export const structureOf = (order: LiveOrder): string =>
  JSON.stringify([
    order.status,
    order.paidVnd,
    order.attempts,
    order.unplaced,
    order.failure ?? null,
    order.folderUrl ?? null,
    order.queue === null,
    order.status === 'downloading' && order.progress === null,
  ]);

/** How much of the download is done, 0 to 1; by files where the bytes are not known. Undefined: nobody knows. */
export function shareDone({ progress }: LiveOrder): number | undefined {
  if (!progress) return undefined;
  const { bytesDone, bytesTotal, filesDone, filesTotal } = progress;
  if (bytesTotal > 0) return Math.min(1, bytesDone / bytesTotal);
  return filesTotal > 0 ? Math.min(1, filesDone / filesTotal) : undefined;
}

function queueText(tongue: Tongue, ahead: number): string {
  const isVi = tongue === 'vi';
  if (ahead === 0) return isVi ? 'Bạn là người tiếp theo' : 'You are next';
  const count = ahead >= AHEAD_MAX ? `${AHEAD_MAX}+` : String(ahead);
  return isVi ? `Còn ${count} lượt tải trước bạn` : `${count} before you`;
}

function estimateText(
  tongue: Tongue,
  { startSeconds: start, doneSeconds: done }: NonNullable<LiveOrder['queue']>,
): string {
  const isVi = tongue === 'vi';
  if (start === null) return isVi ? 'Chưa đủ số liệu để ước tính thời gian.' : 'We cannot say yet how long it takes.';
  const soon = start < 60;
  const from = isVi
    ? soon
      ? 'Sắp bắt đầu tải'
      : `Bắt đầu tải sau khoảng ${spanText(tongue, start)}`
    : soon
      ? 'It begins in a moment'
      : `It begins in about ${spanText(tongue, start)}`;
  if (done === null) return `${from}.`;
  return isVi
    ? `${from}, xong sau khoảng ${spanText(tongue, done)}.`
    : `${from} and is done in about ${spanText(tongue, done)}.`;
}

/** Every live text by its name; empty where there is nothing to say. */
export function liveTexts(tongue: Tongue, order: LiveOrder): Readonly<Record<string, string>> {
  const isVi = tongue === 'vi';
  const { queue, progress } = order;
  const share = shareDone(order);
  const texts: Record<string, string> = {
    percent: share === undefined ? '' : `${Math.floor(share * 100)} %`,
    ahead: queue ? queueText(tongue, queue.ahead) : '',
    estimate: queue ? estimateText(tongue, queue) : '',
  };
  if (!progress) return texts;
  const { filesDone, filesTotal, bytesDone, bytesTotal, bytesPerSecond, secondsLeft } = progress;
  const done = bytesText(tongue, bytesDone);
  return {
    ...texts,
    bytes: bytesTotal > 0 ? `${done} / ${bytesText(tongue, bytesTotal)}` : done,
    files: `${filesDone} / ${filesTotal}`,
    rate: bytesPerSecond > 0 ? `${bytesText(tongue, bytesPerSecond)}/s` : '–',
    left: secondsLeft === undefined ? (isVi ? 'chưa rõ' : 'not known') : spanText(tongue, secondsLeft),
  };
}
