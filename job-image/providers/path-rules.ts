const PATH_MAX_BYTES = 1_024;
const PART_MAX_BYTES = 255;

/** Why `path` cannot be delivered, or undefined when it can: relative, plain parts, no control characters, NFC. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > PATH_MAX_BYTES) return `is longer than ${PATH_MAX_BYTES} bytes`;
  if (path !== path.normalize('NFC')) return 'is not in Unicode NFC';
  if (!path.isWellFormed()) return 'is not well-formed Unicode';
  // Control characters, and the marks that make a name read differently from what it is.
  if (/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(path)) return 'has control characters';
  if (path.startsWith('/') || path.includes('\\')) return 'is not relative with / between parts';
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return 'has an empty or dot part';
    if (part !== part.trim()) return 'has a part with blanks at its ends';
    if (Buffer.byteLength(part) > PART_MAX_BYTES) return `has a part longer than ${PART_MAX_BYTES} bytes`;
  }
  return undefined;
}

/** The first path that occurs twice, or that is both a file and the folder of another; undefined where there is none. */
export function clashingPath(paths: readonly string[]): string | undefined {
  const files = new Set<string>();
  for (const path of paths) {
    if (files.has(path)) return path;
    files.add(path);
  }
  return paths.find((path) => {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1))
      if (files.has(path.slice(0, cut))) return true;
    return false;
  });
}
