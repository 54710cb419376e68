/** `node sandbox/course/main.ts [folder]`: builds the course and prints what it is as one JSON line. */
import { homedir } from 'node:os';
import { buildCourse } from './build.ts';
import { defaultCacheDir } from './course-dir.ts';

const cacheDir = process.argv[2] ?? defaultCacheDir(process.env['XDG_CACHE_HOME'], homedir());
const built = await buildCourse({ cacheDir, log: (line) => void process.stderr.write(`${line}\n`) });
process.stdout.write(`${JSON.stringify(built)}\n`);
