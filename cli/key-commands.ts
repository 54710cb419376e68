import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { createKey, KEY_ROLES, listKeys, revokeKey, rotateKey, type KeyRole } from '../sql/api-keys.ts';
import { CommandError, EXIT } from './exit.ts';
import { json, table } from './print.ts';
import { addRotation } from './rotation-commands.ts';
import { wholeNumber, type Shown, type Terminal } from './terminal.ts';

const MAX_KEY_DAYS = 400;
const MAX_OVERLAP_HOURS = 24 * 30;
const DAYS: [string, string, (text: string) => number, number] = [
  '--days <n>',
  'how long the new one opens',
  wholeNumber(MAX_KEY_DAYS),
  90,
];
const KEY_FILE: [string, string] = [
  '--key-file <path>',
  "a new file for the key, its owner's alone, instead of showing it",
];

type Made = Shown & { keyFile?: string };

/** Shown once, or written to a file that was not there before; the file first, so that no key is made and lost. */
async function make(
  { json: asJson, keyFile }: Made,
  mint: () => Promise<{ key: string; prefix: string }>,
): Promise<string> {
  if (keyFile === undefined) {
    const { key, prefix } = await mint();
    return asJson
      ? json({ key, prefix })
      : `${key}\nIt is shown this once. Its prefix, ${prefix}, names it from now on.\n`;
  }
  const file = openSync(keyFile, 'wx', 0o600);
  try {
    const { key, prefix } = await mint();
    writeSync(file, `${key}\n`);
    return asJson ? json({ prefix, keyFile }) : `${prefix} is in ${keyFile}\n`;
  } catch (error) {
    unlinkSync(keyFile);
    throw error;
  } finally {
    closeSync(file);
  }
}

export function addKeys(program: Command, terminal: Terminal): void {
  const { onPostgres, fail } = terminal;
  const keys = program.command('keys').description('keys of the API, on Postgres as lading_owner');
  keys
    .command('create')
    .description('make a key; it is shown once')
    .argument('<name>', "whose it is; a shop's keys share their name")
    .addOption(new Option('--role <role>').choices(KEY_ROLES).makeOptionMandatory())
    .option(...DAYS)
    .option(...KEY_FILE)
    .option('--json')
    .action((name: string, options: Made & { role: KeyRole; days: number }) =>
      onPostgres((pool, person) => make(options, () => createKey(pool, { ...options, name, createdBy: person }))),
    );
  keys
    .command('rotate')
    .description('make a key in place of another, which opens a while longer')
    .argument('<prefix>')
    .option(...DAYS)
    .option('--overlap-hours <n>', 'how long the old one opens', wholeNumber(MAX_OVERLAP_HOURS), 24)
    .option(...KEY_FILE)
    .option('--json')
    .action((prefix: string, options: Made & { days: number; overlapHours: number }) =>
      onPostgres((pool, person) =>
        make(options, async () => {
          const key = await rotateKey(pool, prefix, { ...options, createdBy: person });
          if (!key) throw new CommandError(EXIT.no, `no valid key begins with ${prefix}`);
          return key;
        }),
      ),
    );
  keys
    .command('revoke')
    .description('end a key now')
    .argument('<prefix>')
    .action((prefix: string) =>
      onPostgres(async (pool, person) => {
        const revoked = await revokeKey(pool, prefix, person);
        if (!revoked) fail();
        return revoked ? 'revoked\n' : 'no such key is valid\n';
      }),
    );
  keys
    .command('list')
    .description('the newest first, those that have ended included')
    .option('--json')
    .action((options: Shown) =>
      onPostgres(async (pool) => {
        const found = await listKeys(pool);
        if (options.json) return json(found);
        return table(found, ['prefix', 'name', 'role', 'created_by', 'created_at', 'expires_at', 'last_used_at']);
      }),
    );
  addRotation(keys, terminal);
}
