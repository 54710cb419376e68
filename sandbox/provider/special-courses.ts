/** Courses that are always there: one for each answer a real provider may give. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { contentTypeOf, type Course, type CourseFile } from './course.ts';

export const ALWAYS_503 = 'always-503';
export const DENIED = 'denied';
export const SLOW = 'slow';

const WORDS = 'Lading sandbox. ';
const SLOW_MAX_BYTES = 256 * 1024 * 1024;

const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const generatedFile = (path: string, content: Buffer): CourseFile => ({
  path,
  bytes: content.length,
  sha256: sha256Of(content),
  contentType: contentTypeOf(path),
  open: (start, end) => Readable.from([content.subarray(start, end + 1)], { objectMode: false }),
});
const text = (path: string, words: string): CourseFile => generatedFile(path, Buffer.from(words));
const course = (id: string, files: CourseFile[], protection: string | undefined = 'none'): Course => ({
  id,
  title: `Sandbox: ${id}`,
  protection,
  files,
});

/** The slow course's one file; deterministic for its size. */
const slowCourse = (bytes: number): Course =>
  course(SLOW, [generatedFile('slow.bin', Buffer.alloc(Math.min(bytes, SLOW_MAX_BYTES), WORDS))]);

/** Finds a special course; `slowBytes` is the size of the slow one's file. */
export function makeSpecialCourses(): (id: string, slowBytes: number) => Course | undefined {
  const lesson = text('lesson.txt', 'A lesson.\n');
  const wrong = {
    ...text('lesson.txt', 'These bytes are not the ones announced.\n'),
    sha256: sha256Of(Buffer.from('x')),
  };
  const tiny = course('tiny', [
    text('readme.txt', 'A course of three files.\n'),
    text('Chào mừng.txt', 'Xin chào! Đây là một khóa học nhỏ.\n'),
    generatedFile('bài 1/ghi chú.bin', Buffer.alloc(300_000, WORDS)),
  ]);
  const fixed = [
    course(ALWAYS_503, [lesson]),
    course('protected', [lesson], 'drm'),
    { ...course('unmarked', [lesson]), protection: undefined },
    course('bad-checksum', [text('good.txt', 'As announced.\n'), wrong]),
    course(DENIED, [lesson]),
    tiny,
  ];
  const byId = new Map(fixed.map((each) => [each.id, each]));
  let slow = slowCourse(0);
  return (id, slowBytes) => {
    if (id !== SLOW) return byId.get(id);
    if (slow.files[0]?.bytes !== slowBytes) slow = slowCourse(slowBytes);
    return slow;
  };
}
