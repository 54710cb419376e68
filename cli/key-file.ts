import { readFileSync, statSync } from 'node:fs';
import { readKey } from '../sql/api-keys.ts';
import { CommandError, EXIT } from './exit.ts';

const OTHERS = 0o077;
const WHERE_FROM =
  'Whoever has the database of lading_owner makes one: lading keys create NAME --role operator --key-file PATH';

/** The key of the API, from a file that is its owner's alone. Throws CommandError with the way out. */
export function readKeyFile(path: string | undefined): string {
  if (path === undefined || path === '')
    throw new CommandError(
      EXIT.config,
      `LADING_KEY_FILE is not set: it names the file with your API key. ${WHERE_FROM}`,
    );
  let text: string;
  let mode: number;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new CommandError(EXIT.config, `LADING_KEY_FILE: cannot read ${path} (${code}). ${WHERE_FROM}`, { cause });
  }
  if ((mode & OTHERS) !== 0)
    throw new CommandError(EXIT.config, `LADING_KEY_FILE: others may read ${path}; run: chmod 600 ${path}`);
  if (!readKey(text))
    throw new CommandError(EXIT.config, `LADING_KEY_FILE: ${path} holds no key (lk_…). ${WHERE_FROM}`);
  return text;
}
