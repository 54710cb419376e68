import { describe, expect, test } from '@jest/globals';
import { Problem } from '../problem.ts';
import { parseManifest } from './manifest.ts';

const ATTEMPT = '0b0e7a52-3c58-4a5b-8f0c-2f4f8d1f1a01';
const file = { path: 'video/01 Mở đầu.mp4', bytes: 10, sha256: 'a'.repeat(64), driveId: 'drive-1' };
const manifest = { type: 'attempt.finalized', attemptId: ATTEMPT, folderId: 'folder-1', files: [file] };

function fieldsRefused(json: unknown): string[] | undefined {
  try {
    parseManifest(json, ATTEMPT);
    return undefined;
  } catch (error) {
    if (error instanceof Problem && error.code === 'manifest_invalid') return error.errors?.map(({ field }) => field);
    throw error;
  }
}

describe('parseManifest', () => {
  test('takes the manifest of the attempt', () => {
    expect(parseManifest(manifest, ATTEMPT)).toEqual(manifest);
  });

  test.each([
    '/etc/passwd',
    'a//b',
    'a/',
    '..',
    'a/../b',
    './a',
    'a\0b',
    'a\nb',
    'a\uD800',
    'Mở đầu.mp4'.normalize('NFD'),
  ])('refuses the path %j', (path) => {
    expect(fieldsRefused({ ...manifest, files: [{ ...file, path }] })).toEqual(['files.0.path']);
  });

  test('refuses a path that stands there twice', () => {
    expect(fieldsRefused({ ...manifest, files: [file, { ...file, path: 'b' }, file] })).toEqual(['files.2.path']);
  });

  test.each([
    [{ attemptId: 'b0e7a52e-3c58-4a5b-8f0c-2f4f8d1f1a01' }, ['attemptId']],
    [{ folderId: 'a b' }, ['folderId']],
    [{ files: [] }, ['files']],
    [{ files: [{ ...file, driveId: 'x\0' }] }, ['files.0.driveId']],
    [{ files: [{ ...file, sha256: 'A'.repeat(64) }] }, ['files.0.sha256']],
    [{ files: [{ ...file, bytes: -1 }] }, ['files.0.bytes']],
    [{ type: 'attempt.started' }, ['type']],
  ])('refuses %j', (changes, fields) => {
    expect(fieldsRefused({ ...manifest, ...changes })).toEqual(fields);
  });

  test('names at most twenty faults', () => {
    expect(
      fieldsRefused({ ...manifest, files: Array.from({ length: 50 }, () => ({ ...file, path: '..' })) }),
    ).toHaveLength(20);
  });
});
