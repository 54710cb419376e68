/**
 * `node script/sandbox-secrets.ts DIR`: what compose.sandbox.yml needs besides script/secrets: a certificate authority
 * with a certificate for the stand-ins' names, and the service account their Google knows. Made once.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureServiceAccount } from '../sandbox/credentials.ts';
import { ensureTls } from '../sandbox/tls.ts';

const HOSTS = ['sandbox-google', 'sandbox-provider', 'sandbox-mail'];

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('usage: node script/sandbox-secrets.ts DIR');

await ensureTls(join(dir, 'sandbox/tls'), HOSTS);
const { path } = await ensureServiceAccount(join(dir, 'sandbox/credentials'));
const copy = join(dir, 'google_service_account');
if (!existsSync(copy)) copyFileSync(path, copy);
