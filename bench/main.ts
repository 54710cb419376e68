/** Each benchmark sets up what it needs, tells its progress on stderr, and keeps its raw figures under results/. */
import { InvalidArgumentError, program } from 'commander';
import { benchBurst } from './burst.ts';
import { benchDispatch } from './dispatch.ts';
import { benchGuard } from './guard.ts';
import { benchIdle } from './idle.ts';
import { keepResult, surroundings } from './results.ts';
import { benchTransfer } from './transfer.ts';
import { benchWebhook } from './webhook.ts';
import { say } from './world.ts';

const dockerHost = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';

const count = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > 10_000) throw new InvalidArgumentError('a whole number from 1 to 10000');
  return n;
};

async function report(bench: string, json: boolean, measure: () => Promise<object>): Promise<void> {
  const around = surroundings(dockerHost);
  const result = await measure();
  say(`kept in ${keepResult(bench, around, result)}`);
  process.stdout.write(`${JSON.stringify(result, null, json ? undefined : 2)}\n`);
}

program.name('bench').description('Measures Lading against a peer or a floor in the same run.');
program
  .command('dispatch')
  .description('paid to running, with and without a standby, against docker run')
  .option('--jobs <n>', 'rounds of one docker run, one job with a standby, one without', count, 20)
  .option('--json', 'the result on one line', false)
  .action((options: { jobs: number; json: boolean }) =>
    report('dispatch', options.json, () => benchDispatch({ jobs: options.jobs, dockerHost })),
  );

program
  .command('idle')
  .description('statements sent while nothing is open')
  .option('--minutes <n>', 'how long to watch', count, 10)
  .option('--json', 'the result on one line', false)
  .action((options: { minutes: number; json: boolean }) =>
    report('idle', options.json, () => benchIdle({ minutes: options.minutes, dockerHost })),
  );
program
  .command('burst')
  .description('launches a second of many orders paid at once, against a bare dockerode loop')
  .option('--orders <n>', 'orders in each of the rounds', count, 24)
  .option('--json', 'the result on one line', false)
  .action((options: { orders: number; json: boolean }) =>
    report('burst', options.json, () => benchBurst({ orders: options.orders, dockerHost })),
  );

program
  .command('guard')
  .description('a call to the engine through the guard, against one straight to it')
  .option('--calls <n>', 'calls of each kind on each side', count, 200)
  .option('--json', 'the result on one line', false)
  .action((options: { calls: number; json: boolean }) =>
    report('guard', options.json, () => benchGuard({ calls: options.calls, dockerHost })),
  );

program
  .command('webhook')
  .description('webhooks answered durably a second, against pgbench with the same statements')
  .option('--seconds <n>', 'how long each side is measured in a round', count, 3)
  .option('--rounds <n>', 'rounds of both sides', count, 9)
  .option('--json', 'the result on one line', false)
  .action((options: { seconds: number; rounds: number; json: boolean }) =>
    report('webhook', options.json, () => benchWebhook(options)),
  );

program
  .command('transfer')
  .description('a course from provider to Drive, against download-then-upload with rclone and a bare pipe')
  .option('--gigabytes <n>', 'size of the file that goes over unlimited links', count, 10)
  .option('--json', 'the result on one line', false)
  .action((options: { gigabytes: number; json: boolean }) =>
    report('transfer', options.json, () => benchTransfer({ gigabytes: options.gigabytes, dockerHost })),
  );

await program.parseAsync();
