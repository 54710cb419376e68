/**
 * A local certificate authority and one server certificate, made once per directory:
 *
 *   ca.pem (for clients)   cert.pem + key.pem (for servers)   authority.json, server.json (the same, with the CA's key)
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { z } from 'zod';
import { readIfThere, replaceFile, writeOnce } from './write-once.ts';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_650;
/** The longest that every client still accepts. */
const SERVER_DAYS = 825;
const RENEW_BEFORE_MS = 7 * DAY_MS;
/** Clocks of containers and hosts may differ a little. */
const BACKDATE_MS = 3_600_000;
const PUBLIC_MODE = 0o644;
const PRIVATE_MODE = 0o600;

const USUAL_HOSTS = ['localhost', '127.0.0.1', 'www.googleapis.com', 'oauth2.googleapis.com'];

export type TlsFiles = { dir: string; caPath: string; ca: string; cert: string; key: string };

const authoritySchema = z.object({ cert: z.string(), key: z.string() });
const span = (days: number) => {
  const notBeforeDate = new Date(Date.now() - BACKDATE_MS);
  return { notBeforeDate, notAfterDate: new Date(notBeforeDate.getTime() + days * DAY_MS) };
};

async function makeAuthority(): Promise<string> {
  // A name of its own: two authorities of one name in a trust store are mistaken for each other.
  const name = `Lading sandbox CA ${randomBytes(4).toString('hex')}`;
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...span(AUTHORITY_DAYS),
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return JSON.stringify({ cert: made.cert, key: made.private });
}

const isIp = (host: string): boolean => isIP(host) !== 0;

async function issue(authority: z.infer<typeof authoritySchema>, hosts: readonly string[]) {
  return await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...span(SERVER_DAYS),
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) => (isIp(host) ? { type: 7, ip: host } : { type: 2, value: host })),
      },
    ],
  });
}

const pairSchema = authoritySchema.extend({ hosts: z.array(z.string()) });
type Pair = z.infer<typeof pairSchema>;

const serves = (pair: Pair, hosts: readonly string[], authority: X509Certificate): boolean => {
  const cert = new X509Certificate(pair.cert);
  const isFresh = Date.parse(cert.validTo) - Date.now() > RENEW_BEFORE_MS;
  return isFresh && cert.checkIssued(authority) && hosts.every((host) => pair.hosts.includes(host));
};

/**
 * Makes what is missing in `dir` and reads it. Safe to call again, and from several processes at once. The certificate
 * is issued anew, by the same authority, when `extraHosts` names one that it lacks.
 */
export async function ensureTls(dir: string, extraHosts: readonly string[] = []): Promise<TlsFiles> {
  const path = (name: string): string => join(dir, name);
  const authority = authoritySchema.parse(
    JSON.parse(await writeOnce(path('authority.json'), PRIVATE_MODE, makeAuthority)),
  );
  const makePair = async (hosts: readonly string[]): Promise<string> => {
    const made = await issue(authority, hosts);
    return JSON.stringify({ cert: made.cert, key: made.private, hosts });
  };
  const hosts = [...new Set([...USUAL_HOSTS, ...extraHosts])];
  let pair = pairSchema.parse(JSON.parse(await writeOnce(path('server.json'), PRIVATE_MODE, () => makePair(hosts))));
  if (!serves(pair, hosts, new X509Certificate(authority.cert))) {
    const text = await makePair([...new Set([...pair.hosts, ...hosts])]);
    await replaceFile(path('server.json'), text, PRIVATE_MODE);
    pair = pairSchema.parse(JSON.parse(text));
  }
  // The two files above decide; these are copies for programs that read PEM.
  await copyTo(path('ca.pem'), authority.cert, PUBLIC_MODE);
  await copyTo(path('key.pem'), pair.key, PRIVATE_MODE);
  await copyTo(path('cert.pem'), pair.cert, PUBLIC_MODE);
  return { dir, caPath: path('ca.pem'), ca: authority.cert, cert: pair.cert, key: pair.key };
}

async function copyTo(path: string, text: string, mode: number): Promise<void> {
  if ((await readIfThere(path)) !== text) await replaceFile(path, text, mode);
}
