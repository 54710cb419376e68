/** Each benchmark sets up what it needs, tells its progress on stderr, and keeps its raw figures under results/. */
import { InvalidArgumentError, program } from 'commander';
import { benchDispatch } from './dispatch.ts';
import { keepResult, surroundings } from './results.ts';
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

await program.parseAsync();
