/** `keys rotate sepay|master|drive|shop-webhook`, beside `keys rotate PREFIX` for a key of the operators' API. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import {
  reseal,
  rotateDrive,
  rotateMaster,
  rotateSepay,
  rotateShopWebhook,
  showSecrets,
  type Rotation,
} from './rotate.ts';
import type { Terminal } from './terminal.ts';

const OVERLAP_HOURS_MAX = 24 * 30;
/** Longer than any attempt may run, which goes on with the key it began with. */
const OVERLAP_HOURS = 24;
const STDIN = 0;

function hours(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > OVERLAP_HOURS_MAX)
    throw new InvalidArgumentError(`is a number from 1 to ${OVERLAP_HOURS_MAX}`);
  return Number(text);
}

const readNew = (file: string): string => readFileSync(file === '-' ? STDIN : file, 'utf8');

export function addRotation(keys: Command, { print, onPostgres }: Terminal): void {
  const rotate = keys.commands.find((command) => command.name() === 'rotate') ?? keys.command('rotate');
  const rotation = (name: string, description: string): Command =>
    rotate
      .command(name)
      .description(description)
      .option('--secrets-dir <dir>', 'where script/secrets made them', './secrets')
      .option('--overlap-hours <n>', 'how long the old one is good', hours, OVERLAP_HOURS);
  type NewFile = Rotation & { new: string };
  rotation('sepay', "take a new secret of SePay's webhooks (or API key) beside the one in use")
    .option('--new <file>', 'a file with the new secret; - is standard input', '-')
    .option('--replace', 'the newest in the file was a mistake: this one takes its place')
    .action((options: NewFile) => print(rotateSepay(options, readNew(options.new))));
  rotation('drive', 'use a new key file of the service account')
    .requiredOption('--new <file>', "Google's key file; - is standard input")
    .action((options: NewFile) => print(rotateDrive(options, readNew(options.new))));
  rotation('master', 'make a new master key and seal anew what the old one sealed (as lading_owner)').action(
    (options: Rotation) => onPostgres((pool) => rotateMaster(pool, options)),
  );
  rotation('shop-webhook', 'make a new secret for what the shop is told; it is shown once (as lading_owner)').action(
    (options: Rotation) => onPostgres((pool, person) => rotateShopWebhook(pool, options, person)),
  );
  keys
    .command('reseal')
    .description('go on where `keys rotate master` was interrupted (as lading_owner)')
    .option('--secrets-dir <dir>', 'where script/secrets made them', './secrets')
    .action(({ secretsDir }: { secretsDir: string }) =>
      onPostgres(async (pool) => `${await reseal(pool, secretsDir)} sealed anew\n`),
    );
  keys
    .command('ages')
    .description('how old each secret in use is')
    .option('--secrets-dir <dir>', 'where script/secrets made them', './secrets')
    .option('--json')
    .action(({ secretsDir, json }: { secretsDir: string; json?: true }) =>
      onPostgres((pool) => showSecrets(pool, secretsDir, json ?? false)),
    );
}
