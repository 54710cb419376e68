import { request } from 'node:https';

const ANSWER_LIMIT_MS = 30_000;

/** JSON over TLS with the sandbox's own authority. */
export function getJson(url: string, ca: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request(url, { ca, timeout: ANSWER_LIMIT_MS }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      answer.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}
