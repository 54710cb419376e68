import { expect, test } from '@jest/globals';
import { arrange } from './existing.ts';
import { FOLDER_TYPE, type DriveResource } from './resource.ts';

const folder = (id: string, parent: string, name: string): DriveResource => ({
  id,
  name,
  mimeType: FOLDER_TYPE,
  parents: [parent],
});
const file = (id: string, parent: string, name: string): DriveResource => ({
  id,
  name,
  mimeType: 'text/plain',
  parents: [parent],
});

test('a flat listing becomes paths, duplicates stay together, and strangers and circles are left out', () => {
  const { folders, files } = arrange('root', [
    file('f1', 'b', 'x.txt'),
    folder('root', 'drive', 'Order'),
    folder('b', 'a', 'B'),
    folder('a', 'root', 'A'),
    folder('a2', 'root', 'A'),
    file('f2', 'root', 'cafe\u0301'),
    file('f3', 'b', 'x.txt'),
    file('stranger', 'elsewhere', 'x.txt'),
    folder('c1', 'c2', 'C1'),
    folder('c2', 'c1', 'C2'),
    file('f4', 'c1', 'x'),
  ]);
  expect(Object.fromEntries(folders)).toEqual({ A: 'a', 'A/B': 'b' });
  expect([...files].map(([path, found]) => [path, found.map(({ id }) => id)])).toEqual([
    ['A/B/x.txt', ['f1', 'f3']],
    ['caf\u00e9', ['f2']],
  ]);
});
