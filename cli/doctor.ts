/** Looks at an installation from where the command runs: a line for each check, with the remedy where one is needed. */
import { z } from 'zod';
import { readEnvironment } from '../config/environment.ts';
import { checkApi } from './doctor/api.ts';
import type { Finding } from './doctor/finding.ts';
import { checkDocker } from './doctor/docker.ts';
import { checkPostgres } from './doctor/postgres.ts';
import { checkSecrets } from './doctor/secrets.ts';
import { json } from './print.ts';
import { visible } from '../sql/log-lines.ts';

const schema = z.object({
  LADING_URL: z.string().optional(),
  LADING_PLAIN_HTTP: z.string().optional(),
  LADING_KEY_FILE: z.string().optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DOCKER_HOST: z.string().default('unix:///var/run/docker.sock'),
  LADING_JOB_IMAGE: z.string().optional(),
  LADING_SECRETS_DIR: z.string().default('./secrets'),
});
export type Examination = z.infer<typeof schema>;

/** Throws ConfigError. */
export const readExamination = (env: Readonly<Record<string, string | undefined>>): Examination =>
  readEnvironment(schema, env);

const linesOf = ({ status, check, detail, remedy }: Finding): string =>
  `${status.padEnd(4)}  ${check}: ${visible(detail)}\n${remedy === null ? '' : `      → ${remedy}\n`}`;

export async function examine(
  given: Examination,
): Promise<{ text: (asJson: boolean) => string; failed: boolean; findings: Finding[] }> {
  const [api, postgres, docker] = await Promise.all([
    checkApi(given),
    checkPostgres(given.DATABASE_URL),
    checkDocker(given.DOCKER_HOST, given.LADING_JOB_IMAGE),
  ]);
  const findings = [...api, ...postgres, ...docker, ...checkSecrets(given.LADING_SECRETS_DIR)];
  return {
    findings,
    failed: findings.some(({ status }) => status === 'fail'),
    text: (asJson) => (asJson ? json(findings) : findings.map(linesOf).join('')),
  };
}
