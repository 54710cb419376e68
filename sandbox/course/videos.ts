/** The videos of the demo's course: test pictures and a tone, made with ffmpeg. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKnown } from './handbook.ts';
import { CommandFailed, runCommand } from './run-command.ts';

const ENCODE_TIMEOUT_MS = 180_000;
const INSTALL_TIMEOUT_MS = 600_000;
export const LARGE_MIN_BYTES = 200_000_000;

type Video = { name: string; seconds: number; picture: string; codec: string[]; minBytes: number };

const SMALL = ['-c:v', 'mpeg4', '-q:v', '3'];
/** Noise in every frame and no prediction between frames: large at once, and quick to encode. */
const LARGE = ['-c:v', 'mjpeg', '-q:v', '3', '-pix_fmt', 'yuvj420p'];
const VIDEOS: readonly Video[] = [
  { name: 'Bài 1 - Làm quen.mp4', seconds: 12, picture: 'testsrc2=s=1280x720:r=25', codec: SMALL, minBytes: 5_000_000 },
  { name: 'Bài 2 - Cài đặt.mp4', seconds: 18, picture: 'testsrc2=s=1280x720:r=25', codec: SMALL, minBytes: 5_000_000 },
  {
    name: 'Bài 3 - Quản lý gói.mp4',
    seconds: 32,
    picture: 'testsrc2=s=1280x720:r=25,noise=alls=12:allf=t',
    codec: LARGE,
    minBytes: LARGE_MIN_BYTES,
  },
];

async function makeFfmpegRun(env: NodeJS.ProcessEnv | undefined): Promise<void> {
  const withEnv = env === undefined ? {} : { env };
  try {
    await runCommand('ffmpeg', ['-version'], { ...withEnv, timeoutMs: ENCODE_TIMEOUT_MS });
    return;
  } catch (error) {
    if (process.getuid?.() !== 0)
      throw new CommandFailed('ffmpeg is missing: apt-get install ffmpeg', { cause: error });
  }
  await makeKnown('ffmpeg', env);
  const install = [
    'apt-get',
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=120',
    'ffmpeg',
  ];
  await runCommand('env', ['DEBIAN_FRONTEND=noninteractive', ...install], {
    ...withEnv,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

/** Adds `videos/` to `dir`. Throws CommandFailed where ffmpeg is not to be had. */
export async function addVideos(dir: string, env: NodeJS.ProcessEnv | undefined): Promise<void> {
  await makeFfmpegRun(env);
  await mkdir(join(dir, 'videos'));
  for (const { name, seconds, picture, codec, minBytes } of VIDEOS) {
    const path = join(dir, 'videos', name);
    const sources = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=f=220'];
    const output = ['-t', String(seconds), ...codec, '-c:a', 'aac', '-shortest', path];
    await runCommand('ffmpeg', ['-v', 'error', '-nostdin', ...sources, ...output], {
      ...(env === undefined ? {} : { env }),
      timeoutMs: ENCODE_TIMEOUT_MS,
    });
    const { size } = await stat(path);
    if (size < minBytes) throw new CommandFailed(`ffmpeg: ${name} has ${size} bytes, wanted ${minBytes}`);
  }
}
