/**
 * The software of the job image with versions, as CycloneDX 1.5 on stdout. Runs while the image is built:
 *
 *   node job-sbom.js FILE_OF_LIBRARY_PATHS FILE_OF_FFMPEG_VERSION NODE_MODULES
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

const [libraries = '', ffmpegVersion = '', nodeModules = ''] = process.argv.slice(2);

/** Debian's name of the package that a file came with; undefined for files of no package. */
function packageOf(path) {
  for (const candidate of [realpathSync(path), path, realpathSync(path).replace(/^\/usr/, '')])
    try {
      return execFileSync('dpkg-query', ['--search', candidate], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).split(/[:,]/)[0];
    } catch {
      continue;
    }
  return undefined;
}
const debianVersion = (name) =>
  execFileSync('dpkg-query', ['--show', '--showformat=${Version}', name], { encoding: 'utf8' }).split('\n')[0];

const paths = readFileSync(libraries, 'utf8').trim().split('\n');
const packages = [...new Set(paths.map(packageOf))]
  .filter((name) => name !== undefined)
  .toSorted((a, b) => (a < b ? -1 : 1));
const npm = readdirSync(nodeModules, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  .flatMap(({ name }) =>
    name.startsWith('@') ? readdirSync(join(nodeModules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
  .map((name) => JSON.parse(readFileSync(join(nodeModules, name, 'package.json'), 'utf8')));

const debian = (name, version) => ({
  type: 'library',
  name,
  version,
  purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}`,
});
const components = [
  {
    type: 'application',
    name: 'node',
    version: process.versions.node,
    purl: `pkg:generic/node@${process.versions.node}`,
  },
  { ...debian('ffmpeg', readFileSync(ffmpegVersion, 'utf8').trim()), type: 'application' },
  ...packages.map((name) => debian(name, debianVersion(name))),
  ...npm.map(({ name, version, license }) => ({
    type: 'library',
    name,
    version,
    ...(typeof license === 'string' ? { licenses: [{ expression: license }] } : {}),
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  })),
];
process.stdout.write(
  `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, components }, undefined, 2)}\n`,
);
