/** Postgres as for the other tests, and proof that an engine answers and has the job image, before any test starts. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import postgresUp from './postgres-up.ts';

export default async function engineUp(): Promise<void> {
  const script = fileURLToPath(new URL('../script/job-image', import.meta.url));
  const said = execFileSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const { id } = JSON.parse(said.trim().split('\n').at(-1) ?? '') as { id: string };
  process.env['LADING_TEST_JOB_IMAGE'] = id;
  await postgresUp();
}
