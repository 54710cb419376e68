import { describe, expect, test } from '@jest/globals';
import { JobEnd } from '../ending.ts';
import { FINALIZE_MAX_BYTES, FILES_MAX } from '../contract/signed-call.ts';
import { readManifest } from './manifest-format.ts';

const URL_OF_MANIFEST = 'https://provider.example.org/courses/1/manifest.json';
const FILE = { path: 'a/b.txt', url: 'files/a/b.txt', bytes: 3, sha256: 'a'.repeat(64), contentType: 'text/plain' };
const manifest = (change: object = {}, file: object = {}) => ({
  format: 'lading-manifest/1',
  course: '1',
  title: 'One',
  protection: 'none',
  files: [{ ...FILE, ...file }],
  ...change,
});
function reasonOf(json: unknown): string {
  try {
    readManifest(json, URL_OF_MANIFEST);
    return 'accepted';
  } catch (error) {
    return error instanceof JobEnd ? error.reason : String(error);
  }
}

test('a file address is relative to the manifest, or stands for itself', () => {
  const other = { ...FILE, path: 'c', url: 'https://cdn.example.org/c?key=1' };
  const files = readManifest(manifest({ files: [FILE, other] }), URL_OF_MANIFEST);
  expect(files.map(({ url }) => url.href)).toEqual([
    'https://provider.example.org/courses/1/files/a/b.txt',
    'https://cdn.example.org/c?key=1',
  ]);
});

describe('protection fails closed', () => {
  test.each([
    ['absent', manifest({ protection: undefined })],
    ['null', manifest({ protection: null })],
    ['false', manifest({ protection: false })],
    ['empty', manifest({ protection: '' })],
    ['in capitals', manifest({ protection: 'None' })],
    ['widevine', manifest({ protection: 'widevine' })],
    ['a list', manifest({ protection: ['none'] })],
    ['of one file', manifest({}, { protection: 'fairplay' })],
    ['of one file, null', manifest({}, { protection: null })],
    ['of a manifest that is broken too', manifest({ protection: 'x', format: 'y' })],
    ['nothing at all', null],
    ['a play list by name', manifest({}, { path: 'x.M3U8' })],
    ['a play list by address', manifest({}, { url: 'x.mpd?a=1' })],
    ['a play list by type', manifest({}, { contentType: 'Application/DASH+xml; charset=utf-8' })],
    ['a play list of Apple', manifest({}, { contentType: 'application/vnd.apple.mpegurl' })],
  ])('%s', (_title, json) => {
    expect(reasonOf(json)).toBe('protected_content');
  });
});

describe('what is not a manifest', () => {
  test.each([
    ['another format', manifest({ format: 'lading-manifest/2' })],
    ['no files', manifest({ files: [] })],
    [
      'too many files',
      manifest({ files: Array.from({ length: FILES_MAX + 1 }, (_, n) => ({ ...FILE, path: `${n}` })) }),
    ],
    ['a path that climbs', manifest({}, { path: '../x' })],
    ['two files at one path', manifest({ files: [FILE, FILE] })],
    ['plain http', manifest({}, { url: 'http://provider.example.org/x' })],
    ['an address in the file system', manifest({}, { url: 'file:///etc/passwd' })],
    ['an address with a password', manifest({}, { url: 'https://a:b@provider.example.org/x' })],
    ['half a byte', manifest({}, { bytes: 0.5 })],
    ['less than nothing', manifest({}, { bytes: -1 })],
    ['more than can be counted', manifest({}, { bytes: 2 ** 53 })],
    ['no checksum', manifest({}, { sha256: undefined })],
    ['a checksum in capitals', manifest({}, { sha256: 'A'.repeat(64) })],
  ])('%s', (_title, json) => {
    expect(reasonOf(json)).toBe('manifest_invalid');
  });
});

test('the longest course that passes can still be handed over in one call', () => {
  const files = Array.from({ length: FILES_MAX }, (_, n) => ({
    ...FILE,
    path: `${'é'.repeat(100)}${String(n).padStart(5, '0')}`,
  }));
  const read = readManifest(manifest({ files }), URL_OF_MANIFEST);
  const delivered = read.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256, driveId: 'x'.repeat(44) }));
  expect(Buffer.byteLength(JSON.stringify(delivered))).toBeLessThan(FINALIZE_MAX_BYTES);
  expect(reasonOf(manifest({ files: files.map((file) => ({ ...file, path: `${file.path}${'x'.repeat(10)}` })) }))).toBe(
    'manifest_invalid',
  );
});

test('a name whose letters are written in pieces is one of whole letters in Drive, and clashes with its twin', () => {
  const decomposed = { ...FILE, path: 'Mở đầu.mp4'.normalize('NFD'), url: 'files/x' };
  expect(readManifest(manifest({ files: [decomposed] }), URL_OF_MANIFEST).map(({ path }) => path)).toEqual([
    'Mở đầu.mp4'.normalize('NFC'),
  ]);
  const twins = [decomposed, { ...FILE, path: 'Mở đầu.mp4'.normalize('NFC') }];
  expect(reasonOf(manifest({ files: twins }))).toBe('manifest_invalid');
});
