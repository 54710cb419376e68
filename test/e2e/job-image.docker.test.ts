/** What is in the job image, and what is not. */
import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { docker } from './world.ts';

const SIZE_MAX_BYTES = 130_000_000;
const image = (): string => {
  const id = process.env['LADING_TEST_JOB_IMAGE'];
  if (id === undefined) throw new Error('run this file with ./script/test FILE');
  return id;
};
const run = (entrypoint: string, ...args: string[]): string =>
  docker('run', '--rm', '--network', 'none', '--entrypoint', entrypoint, image(), ...args);

test('is small, has no shell, and runs as nobody in particular', () => {
  expect(Number(docker('image', 'inspect', '--format', '{{.Size}}', image()))).toBeLessThan(SIZE_MAX_BYTES);
  for (const program of ['sh', 'bash', 'npm', 'apt-get', '/bin/sh'])
    expect(() =>
      execFileSync('docker', ['run', '--rm', '--network', 'none', '--entrypoint', program, image()], {
        stdio: 'ignore',
      }),
    ).toThrow('Command failed');
  const program = 'console.log(process.getuid(), process.getgid(), fs.readdirSync("/usr/local/bin").join(" "))';
  expect(run('node', '--eval', program).trim()).toBe('10001 10001 ffmpeg node');
});

test('has an ffmpeg that knows no protocol but the pipe', () => {
  const protocols = run('ffmpeg', '-hide_banner', '-protocols').split(/\s+/).filter(Boolean);
  expect(protocols).toEqual(['Supported', 'file', 'protocols:', 'Input:', 'pipe', 'Output:', 'pipe']);
});

test('carries the list of its software with versions', () => {
  const schema = z.object({
    bomFormat: z.literal('CycloneDX'),
    components: z.array(z.object({ name: z.string(), version: z.string().min(1), purl: z.string() })),
  });
  const { components } = schema.parse(
    JSON.parse(run('node', '--eval', 'process.stdout.write(fs.readFileSync("/app/sbom.json"))')),
  );
  const names = components.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      'node',
      'ffmpeg',
      'libc6',
      'libstdc++6',
      'hls-parser',
      'standardwebhooks',
      'undici',
      'zod',
    ]),
  );
  expect(components.find(({ name }) => name === 'node')?.version).toBe(process.versions.node);
});
