import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;
const STDERR_SHOWN_CHARS = 500;

export class CommandFailed extends Error {
  override name = 'CommandFailed';
}

export type CommandOptions = { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs: number };

/** Runs a program to its end and answers its stdout. Throws CommandFailed with the end of its stderr. */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { timeoutMs, ...rest } = options;
  try {
    const { stdout } = await promisify(execFile)(file, args, {
      ...rest,
      timeout: timeoutMs,
      maxBuffer: OUTPUT_MAX_BYTES,
      encoding: 'utf8',
    });
    return stdout;
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string };
    const said = stderr.trim().slice(-STDERR_SHOWN_CHARS) || message;
    throw new CommandFailed(`${file} ${args[0] ?? ''}: ${said}`, { cause });
  }
}
