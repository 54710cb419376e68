/** One of our processes, started for real: the same Node, a clean environment, its log in a file, ready when it says so. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

export type Started = {
  name: string;
  pid: number;
  /** The fields of its "listening" line. */
  listening: Readonly<Record<string, string>>;
  /** Resolves with the exit code, or the signal's name. */
  exited: Promise<number | string>;
  signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM, and SIGKILL when that takes too long; resolves with how it ended. */
  stop: () => Promise<number | string>;
};

function listeningFields(line: string): Record<string, string> | undefined {
  if (!line.includes('"listening"')) return undefined;
  try {
    const said = JSON.parse(line) as Record<string, unknown>;
    return said['msg'] === 'listening'
      ? Object.fromEntries(Object.entries(said).map(([key, value]) => [key, String(value)]))
      : undefined;
  } catch {
    return undefined;
  }
}

/** Rejects with the last lines it said when it ends or stays silent before it listens. */
export function startProcess(options: {
  name: string;
  script: string;
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
  logPath: string;
}): Promise<Started> {
  const { PATH = '', HOME = '', TMPDIR, LADING_TEST_RUN } = process.env;
  const child = spawn(process.execPath, [options.script, ...(options.args ?? [])], {
    env: {
      PATH,
      HOME,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      ...(LADING_TEST_RUN === undefined ? {} : { LADING_TEST_RUN }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Out of the terminal's process group: a Ctrl-C is ours to pass on, in order.
    detached: true,
  });
  const file = createWriteStream(options.logPath, { flags: 'a' });
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  const exited = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => {
      file.end();
      resolve(code ?? signal ?? 'unknown');
    }),
  );
  const started: Omit<Started, 'listening'> = {
    name: options.name,
    pid: child.pid ?? 0,
    exited,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      const ending = await exited;
      clearTimeout(killer);
      return ending;
    },
  };
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const fail = (why: string): void => reject(new Error(`${options.name} ${why}\n${said.slice(-20).join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`was not ready within ${READY_LIMIT_MS} ms`);
    }, READY_LIMIT_MS);
    void exited.then((ending) => {
      clearTimeout(timer);
      fail(`ended with ${ending} before it was ready`);
    });
    const hear = (line: string): void => {
      if (said.length < 200) said.push(line);
      const listening = listeningFields(line);
      if (listening === undefined) return;
      clearTimeout(timer);
      resolve({ ...started, listening });
    };
    createInterface({ input: child.stdout }).on('line', hear);
    createInterface({ input: child.stderr }).on('line', hear);
  });
}
