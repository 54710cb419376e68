/**
 * What pages load besides themselves: the files of client/, read once. Scripts are TypeScript whose types are blanked
 * out here, so that what the browser runs is the file that is type-checked, line by line.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const CLIENT_DIR = fileURLToPath(new URL('client', import.meta.url));
const HASH_CHARS = 16;
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
};

export type Asset = { type: string; identity: Buffer; gzip: Buffer; br: Buffer };
export type Assets = {
  /** The path of the folder: it changes when any file in it does, so that its files may be kept for ever. */
  folder: string;
  /** The address of one. Throws on a name that is not there. */
  url: (name: string) => string;
  find: (name: string) => Asset | undefined;
  /** The scripts that this one imports, and theirs: so that a browser need not find out one after the other. */
  importsOf: (name: string) => string[];
};

const IMPORTED = /\bfrom '\.\/([\w.-]+)'/g;

function readAsset(path: string): Asset | undefined {
  const extension = extname(path);
  const type = TYPES[extension];
  if (type === undefined || /\.(test|d)\.ts$/.test(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const identity = Buffer.from(extension === '.ts' ? stripTypeScriptTypes(text) : text);
  const br = brotliCompressSync(identity, {
    params: { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT },
  });
  return { type, identity, gzip: gzipSync(identity, { level: 9 }), br };
}

/** What the console's plots are drawn with, as its package has it. */
const PLOT_FILES = ['uplot/dist/uPlot.esm.js', 'uplot/dist/uPlot.min.css'].map((file) =>
  createRequire(import.meta.url).resolve(file),
);

/** Reads the files of client/, and those at `more`, which packages bring. */
export function loadAssets(more: readonly string[] = PLOT_FILES): Assets {
  const paths = [...readdirSync(CLIENT_DIR).map((name) => `${CLIENT_DIR}/${name}`), ...more];
  const files = new Map<string, Asset>();
  const hash = createHash('sha256');
  for (const path of paths.toSorted()) {
    const asset = readAsset(path);
    if (!asset) continue;
    files.set(basename(path), asset);
    hash.update(`${basename(path)}\n${asset.identity.length}\n`).update(asset.identity);
  }
  const importsOf = (name: string, seen = new Set<string>()): string[] => {
    for (const [, imported = ''] of files.get(name)?.identity.toString().matchAll(IMPORTED) ?? [])
      if (!seen.has(imported)) importsOf(imported, seen.add(imported));
    return [...seen];
  };
  const folder = `/assets/${hash.digest('hex').slice(0, HASH_CHARS)}`;
  return {
    folder,
    find: (name) => files.get(name),
    importsOf: (name) => importsOf(name),
    url: (name) => {
      if (!files.has(name)) throw new RangeError(`no asset ${name}`);
      return `${folder}/${name}`;
    },
  };
}
