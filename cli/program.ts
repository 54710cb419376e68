/** The commands and their options; main.ts runs them. */
import { Command } from 'commander';
import { bashCompletion } from './completion.ts';
import { addCourses } from './course-commands.ts';
import { addDeadLetters, addJobs } from './job-commands.ts';
import { addKeys } from './key-commands.ts';
import { addLogs } from './log-commands.ts';
import { addOrders, addPayments } from './money-commands.ts';
import { explainOutcomes } from './outcomes.ts';
import { addProfiles } from './profile-commands.ts';
import { addShop } from './shop.ts';
import { addQueue, addReports } from './queue-commands.ts';
import type { Shown, Terminal } from './terminal.ts';

const AFTER_HELP = `
Over the API:  LADING_URL (default http://127.0.0.1:8080) and LADING_KEY_FILE, a file of mode 0600 with your key.
On Postgres (keys, logs verify; doctor looks at it too):  DATABASE_URL_FILE; LADING_OPERATOR is your name in the records.
Every list and report has --json.
Exit codes: 0 done; 1 the answer is no; 64 called wrongly; 69 API or database away; 70 a bug; 75 again later; 77 key
refused; 78 configuration.
Completion: eval "$(lading completion bash)"
`;

export function makeProgram(terminal: Terminal): Command {
  const program = new Command('lading')
    .description('Looks after orders, jobs, logs, payments and courses.')
    .addHelpText('after', AFTER_HELP)
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  addOrders(program, terminal);
  addJobs(program, terminal);
  addLogs(program, terminal);
  addDeadLetters(program, terminal);
  addPayments(program, terminal);
  addCourses(program, terminal);
  addQueue(program, terminal);
  addReports(program, terminal);
  addProfiles(program, terminal);
  program
    .command('outcomes')
    .description('how an attempt can end')
    .command('explain', { isDefault: true })
    .description('what each outcome means and what happens next')
    .option('--json')
    .action((options: Shown) => terminal.print(explainOutcomes(options.json ?? false)));
  program
    .command('doctor')
    .description('look whether all that is needed is there; ends with 1 if something is not')
    .option('--json')
    .action(async (options: Shown) => {
      const { text, failed } = await terminal.doctor();
      if (failed) terminal.fail();
      terminal.print(text(options.json ?? false));
    });
  addKeys(program, terminal);
  addShop(program, terminal);
  program
    .command('completion')
    .description('what makes the shell complete these commands')
    .command('bash')
    .description('for bash: eval "$(lading completion bash)"')
    .action(() => terminal.print(bashCompletion(program)));
  return program;
}
