/** The job's handshake as it is, then what the course's name asks for. Ends with the exit code of the behaviour. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvelope } from '../../job-image/contract/envelope.ts';
import { SECRETS_DIR } from '../../job-image/contract/paths.ts';
import { readSelfReport } from '../../job-image/self-report.ts';
import { behave } from './behaviours.ts';
import { say } from './print.ts';

const NONCE_BYTES = 24;
const EXIT_USAGE = 64;

const nonce = randomBytes(NONCE_BYTES).toString('base64url');
say({ lading: 'ready', nonce, self: await readSelfReport(SECRETS_DIR) });
// A standby whose orchestrator has gone.
const envelope = await readEnvelope(process.stdin, nonce).catch(() => process.exit(EXIT_USAGE));
// As the job itself does: a test looks here for what must be nowhere else.
writeFileSync(join(SECRETS_DIR, 'envelope.json'), JSON.stringify(envelope), { mode: 0o600 });
say({ lading: 'accepted', attemptId: envelope.attemptId });
process.exit(await behave(envelope));
